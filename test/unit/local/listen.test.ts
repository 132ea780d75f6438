// Listening on a port, and an error that helps when it is taken.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { listen, portError } from '#local/listen.ts';

const wanted = { host: '127.0.0.1', port: 0, what: 'the page', option: '--page-port' };

function newServer() {
  const server = createServer();
  onTestFinished(() => {
    server.close();
  });
  return server;
}

it('gives the port that it got', async () => {
  const server = newServer();
  const port = await listen(server, wanted);
  expect(server.address()).toMatchObject({ address: '127.0.0.1', port });
});

it('a port that is taken is named, with the option that chooses another', async () => {
  const port = await listen(newServer(), wanted);
  await expect(listen(newServer(), { ...wanted, port })).rejects.toMatchObject({
    message: `the page cannot listen on 127.0.0.1:${port}: the port is taken; choose another with --page-port`,
    cause: { code: 'EADDRINUSE' },
  });
});

it('a port that there is not is named like one that is taken', async () => {
  await expect(listen(newServer(), { ...wanted, port: 65_536 })).rejects.toThrow(
    /^the page cannot listen on 127.0.0.1:65536: ports end at 65535; choose a lower one with --page-port$/,
  );
});

it('without an option it names none, and another reason it gives as it is', () => {
  const { message } = portError(new Error('no such device'), { ...wanted, option: '' });
  expect(message).toBe('the page cannot listen on 127.0.0.1:0: no such device');
});

it('an error after it listens is the server’s own', async () => {
  const server = newServer();
  await listen(server, wanted);
  const failed = once(server, 'error');
  server.emit('error', new Error('later'));
  expect(await failed).toMatchObject([{ message: 'later' }]);
});
