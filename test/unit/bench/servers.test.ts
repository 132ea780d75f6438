import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { peer } from '#bench/servers.ts';

test('a peer is named by its name, endpoints and process, and must answer', async () => {
  const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const base = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/a`;
  const kind = peer(`other,${base}/whip,${base}/whep?token=secret,${process.pid}`);
  expect(kind.name).toBe('other');
  expect(await kind.start()).toMatchObject({ whep: `${base}/whep?token=secret`, pid: process.pid });
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
  await expect(kind.start()).rejects.toThrow(`other does not answer at ${base}/whep`);
});

test.each([
  'other',
  'other,http://a/whip,http://a/whep',
  'other,http://a/whip,http://a/whep,0',
  'other,http://a/whip,http://a/whep,1,2',
  'other,nonsense,http://a/whep,1',
  ',http://a/whip,http://a/whep,1',
])('%s is refused', (spec) => {
  expect(() => peer(spec)).toThrow(/name,whip,whep,pid/);
});

test.each([
  ['bare,http://a/whip,http://a/whep,1', 'a server of ours'],
  ['other,http://a/whip,http://a/whep,999999999', 'no process'],
])('%s is refused: %s', (spec, why) => {
  expect(() => peer(spec)).toThrow(why);
});
