// The control server over real TLS: who is let in, and what is answered when something is wrong.

import { once } from 'node:events';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { connect } from 'node:tls';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { makeCertificate } from '#media-fleet/certificate.ts';
import { type ControlRoute, ControlServer, type ControlServerOptions } from '#media-fleet/control-server.ts';
import { Problem, unavailable } from '#routing/problem.ts';
import { signRequest } from '#routing/request-signature.ts';

const clusterKey = new Uint8Array(32).fill(1);
const incarnation = 'node-start-1';
const logged: string[] = [];
const log = pino({ level: 'error' }, { write: (line: string) => logged.push(line) });

const routes: ControlRoute[] = [
  { method: 'POST', path: '/v1/echo', handle: ({ body }) => ({ body }) },
  { method: 'GET', path: '/v1/sessions/{id}', handle: ({ params }) => params },
  { method: 'GET', path: '/v1/streams/{stream}/legs/{leg}', handle: ({ params }) => params },
  {
    method: 'GET',
    path: '/v1/full',
    handle: () => {
      throw unavailable('node-full', 'no room', 7);
    },
  },
  { method: 'GET', path: '/v1/refused', handle: async () => Promise.reject(new Problem(409, 'no', 'no')) },
  {
    method: 'GET',
    path: '/v1/broken',
    handle: async () => Promise.reject(new Error('a secret of the node')),
  },
];

let options: ControlServerOptions;
let server: ControlServer;

beforeAll(async () => {
  const certificate = await makeCertificate('node');
  options = { address: '127.0.0.1', port: 0, certificate, clusterKey, incarnation, routes, log };
  server = await ControlServer.listen(options);
});
afterAll(() => server.close());
beforeEach(() => {
  logged.length = 0;
});

interface Sent {
  method?: string;
  path: string;
  body?: string;
  headers?: Record<string, string>;
}

/** A request as any TLS client could send it; signed unless headers are given. */
async function send({
  method = 'GET',
  path,
  body = '',
  headers,
}: Sent): Promise<{ status: number; body: unknown }> {
  const outgoing = request({
    host: '127.0.0.1',
    port: server.port,
    method,
    path,
    rejectUnauthorized: false,
    agent: false,
    headers: headers ?? signRequest(clusterKey, { method, path, body, incarnation }),
  });
  const answered = once(outgoing, 'response');
  outgoing.end(body);
  const [response] = await answered;
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(Buffer.from(chunk));
  return { status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) };
}

it('hands a signed request to its route, with its body and where it came from', async () => {
  const given = await send({ method: 'POST', path: '/v1/echo', body: '{"stream":"ü"}' });
  expect(given).toEqual({ status: 200, body: { body: { stream: 'ü' } } });
});

it('gives a route what the path’s named segments hold, decoded', async () => {
  expect((await send({ path: '/v1/sessions/a%2Fb' })).body).toEqual({ id: 'a/b' });
  expect((await send({ path: '/v1/streams/concert/legs/7' })).body).toEqual({ stream: 'concert', leg: '7' });
});

it.each([
  ['GET', '/v1/echo'],
  ['POST', '/v1/sessions/1'],
  ['GET', '/v1/sessions'],
  ['GET', '/v1/sessions/1/more'],
  ['GET', '/V1/full'],
])('has nothing at %s %s', async (method, path) => {
  expect(await send({ method, path })).toMatchObject({
    status: 404,
    body: { detail: expect.stringContaining(path) },
  });
});

it('an unsigned request is a 401, whatever its path', async () => {
  for (const path of ['/v1/full', '/nothing']) {
    const { status, body } = await send({ path, headers: {} });
    expect(status).toBe(401);
    expect(body).toMatchObject({
      type: 'urn:meridian:problem:not-signed',
      detail: 'the request is not signed',
    });
  }
});

it('a signature for another path, method, body, start or key is a 401', async () => {
  const good = { method: 'GET', path: '/v1/sessions/1', body: '', incarnation };
  const signatures = [
    signRequest(clusterKey, { ...good, path: '/v1/sessions/2' }),
    signRequest(clusterKey, { ...good, path: '/v1/sessions/1?' }),
    signRequest(clusterKey, { ...good, method: 'DELETE' }),
    signRequest(clusterKey, { ...good, body: '{}' }),
    signRequest(clusterKey, { ...good, incarnation: 'node-start-0' }),
    signRequest(new Uint8Array(32), good),
  ];
  for (const headers of signatures) expect((await send({ ...good, headers })).status).toBe(401);
});

it('the same signed request a second time is a 401', async () => {
  const sent = { method: 'GET', path: '/v1/sessions/1' };
  const headers = signRequest(clusterKey, { ...sent, body: '', incarnation });
  expect((await send({ ...sent, headers })).status).toBe(200);
  expect(await send({ ...sent, headers })).toMatchObject({
    status: 401,
    body: { detail: 'the request is seen before' },
  });
});

it('a signed body that is not JSON is a 400', async () => {
  expect(await send({ method: 'POST', path: '/v1/echo', body: '{' })).toMatchObject({
    status: 400,
    body: { type: 'urn:meridian:problem:invalid-request' },
  });
});

it('takes a body of half a MB', async () => {
  const body = JSON.stringify('x'.repeat(524_286));
  expect((await send({ method: 'POST', path: '/v1/echo', body })).status).toBe(200);
});

it('a body that is larger is a 413', async () => {
  for (const size of [524_287, 2_000_000]) {
    const body = JSON.stringify('x'.repeat(size));
    expect(await send({ method: 'POST', path: '/v1/echo', body })).toMatchObject({
      status: 413,
      body: { type: 'urn:meridian:problem:too-large' },
    });
  }
});

it('a route’s Problem is the answer, with when to try again', async () => {
  expect(await send({ path: '/v1/full' })).toEqual({
    status: 503,
    body: { ...unavailable('node-full', 'no room').toJSON(), retryAfter: 7 },
  });
  expect((await send({ path: '/v1/refused' })).body).toEqual(new Problem(409, 'no', 'no').toJSON());
  expect(logged).toEqual([]);
});

it('an unexpected error is a 500 whose cause only the log tells', async () => {
  const { status, body } = await send({ path: '/v1/broken' });
  expect(status).toBe(500);
  expect(JSON.stringify(body)).not.toContain('secret');
  expect(logged).toEqual([expect.stringContaining('a secret of the node')]);
});

it('a path that is not valid percent-encoding is a 400', async () => {
  expect((await send({ path: '/v1/sessions/%zz' })).status).toBe(400);
});

it('speaks no TLS older than 1.3, and no plain HTTP', async () => {
  const old = connect({
    port: server.port,
    host: '127.0.0.1',
    maxVersion: 'TLSv1.2',
    rejectUnauthorized: false,
  });
  const [refusal] = await once(old, 'error');
  expect(refusal).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  await expect(fetch(`http://127.0.0.1:${server.port}/v1/full`)).rejects.toThrow('fetch failed');
});

it('names the address that it cannot have', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await expect(ControlServer.listen({ ...options, port })).rejects.toMatchObject({
    message: expect.stringContaining(`127.0.0.1:${port}`),
    cause: { code: 'EADDRINUSE' },
  });
  taken.close();
});

it('closes with requests open, and more than once', async () => {
  const reached = Promise.withResolvers<void>();
  const never = Promise.withResolvers<void>();
  const waiting: ControlRoute = {
    method: 'GET',
    path: '/v1/waiting',
    handle: () => {
      reached.resolve();
      return never.promise;
    },
  };
  const other = await ControlServer.listen({ ...options, routes: [waiting] });
  const outgoing = request({
    host: '127.0.0.1',
    port: other.port,
    path: '/v1/waiting',
    rejectUnauthorized: false,
    agent: false,
    headers: signRequest(clusterKey, { method: 'GET', path: '/v1/waiting', body: '', incarnation }),
  });
  const cut = once(outgoing, 'error');
  outgoing.end();
  await reached.promise;
  await Promise.all([other.close(), other.close()]);
  await cut;
  await other.close();
});
