// Calls to a node over real TLS: whom the client talks to, what it makes of the answers, and when it gives up.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import * as z from 'zod';
import { type Certificate, makeCertificate } from '#media-fleet/certificate.ts';
import { type ControlRoute, ControlServer } from '#media-fleet/control-server.ts';
import { type NodeAddress, type NodeCall, NodeClient, NodeUnreachable } from '#routing/node-client.ts';
import { unavailable } from '#routing/problem.ts';

const clusterKey = new Uint8Array(32).fill(1);
const incarnation = 'node-start-1';
let certificate: Certificate;
let otherCertificate: Certificate;
let node: ControlServer;
let client: NodeClient;

const routes: ControlRoute[] = [
  { method: 'POST', path: '/v1/echo', handle: ({ body }) => ({ said: body }) },
  { method: 'GET', path: '/v1/number', handle: () => ({ said: 7 }) },
  { method: 'GET', path: '/v1/long', handle: () => ({ said: 'x'.repeat(4_194_304) }) },
  { method: 'GET', path: '/v1/never', handle: () => new Promise(() => undefined) },
  {
    method: 'GET',
    path: '/v1/full',
    handle: () => {
      throw unavailable('node-full', 'no room on this node', 7);
    },
  },
];

const listen = (with_: Certificate = certificate, port = 0) =>
  ControlServer.listen({
    address: '127.0.0.1',
    port,
    certificate: with_,
    clusterKey,
    incarnation,
    routes,
    log: pino({ level: 'silent' }),
  });

beforeAll(async () => {
  [certificate, otherCertificate] = await Promise.all([makeCertificate('node'), makeCertificate('node')]);
  node = await listen();
});
afterAll(() => node.close());
beforeEach(() => {
  client = new NodeClient(clusterKey);
});
afterEach(() => client.close());

const addressOf = (port: number, changes: Partial<NodeAddress> = {}): NodeAddress => ({
  nodeId: 'i-node',
  incarnation,
  control: `127.0.0.1:${port}`,
  fingerprint: certificate.fingerprint,
  ...changes,
});
const answer = z.object({ said: z.string() });
const echo = { method: 'POST', path: '/v1/echo', body: 'hallo', answer, timeout: 2_000 } as const;
const get = (path: string, timeout = 2_000): NodeCall<typeof answer> => ({
  method: 'GET',
  path,
  answer,
  timeout,
});

const unreachable = async (call: Promise<unknown>): Promise<NodeUnreachable> => {
  const error = await call.catch((failure: unknown) => failure);
  if (error instanceof NodeUnreachable) return error;
  throw new Error('not unreachable', { cause: error });
};

it('gives a node’s answer', async () => {
  expect(await client.call(addressOf(node.port), echo)).toEqual({ said: 'hallo' });
});

it('reaches a node by an IPv6 address', async () => {
  const six = await ControlServer.listen({
    address: '::1',
    port: 0,
    certificate,
    clusterKey,
    incarnation,
    routes,
    log: pino({ level: 'silent' }),
  });
  const address = addressOf(six.port, { control: `[::1]:${six.port}` });
  expect(await client.call(address, echo)).toEqual({ said: 'hallo' });
  await six.close();
});

it('does not take an answer of another form', async () => {
  await expect(client.call(addressOf(node.port), get('/v1/number'))).rejects.toThrow(z.ZodError);
});

/** A TLS server that notes what arrives and answers what it is told. */
async function notingServer(says: Buffer | string = '') {
  const arrived: Buffer[] = [];
  const closed = Promise.withResolvers<void>();
  const server = createTlsServer({ key: certificate.key, cert: certificate.cert }, (socket) => {
    socket.on('data', (bytes) => {
      arrived.push(bytes);
      socket.write(says);
    });
    socket.on('error', () => undefined);
  });
  server.on('connection', (socket) => socket.once('close', () => closed.resolve()));
  return { arrived, closed: closed.promise, port: await portOf(server), server };
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

it('the certificate of another node gets not a byte of the request', async () => {
  const { arrived, closed, port, server } = await notingServer();
  const address = addressOf(port, { fingerprint: otherCertificate.fingerprint });
  const error = await unreachable(client.call(address, echo));
  expect(error).toMatchObject({ nodeId: 'i-node', message: expect.stringContaining('certificate') });
  await closed;
  expect(Buffer.concat(arrived).toString()).toBe('');
  server.close();

  const right = await notingServer('HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{"said":"ja"}');
  expect(await client.call(addressOf(right.port), echo)).toEqual({ said: 'ja' });
  expect(Buffer.concat(right.arrived).toString(), 'the right one gets it').toContain('"hallo"');
  client.close();
  right.server.close();
});

it('a node that restarted with another certificate is not taken for the old one', async () => {
  const first = await listen();
  const address = addressOf(first.port);
  await client.call(address, echo);
  await first.close();
  const second = await listen(otherCertificate, Number(address.control.split(':')[1]));
  await unreachable(client.call(address, echo));
  const renewed = { ...address, fingerprint: otherCertificate.fingerprint };
  expect(await client.call(renewed, echo)).toEqual({ said: 'hallo' });
  await second.close();
});

it('a node’s Problem comes through, with when to try again', async () => {
  await expect(client.call(addressOf(node.port), get('/v1/full'))).rejects.toMatchObject({
    name: 'Problem',
    status: 503,
    code: 'node-full',
    message: 'no room on this node',
    headers: { 'Retry-After': '7' },
  });
});

it('a call meant for another start of the node cannot reach that start', async () => {
  const earlier = addressOf(node.port, { incarnation: 'node-start-0' });
  await expect(client.call(earlier, echo)).rejects.toMatchObject({
    name: 'NodeUnreachable',
    cause: { code: 'not-signed' },
  });
});

it('a call with another cluster key reaches nobody, and is no fault of the client that asked for it', async () => {
  const stranger = new NodeClient(new Uint8Array(32).fill(2));
  await expect(stranger.call(addressOf(node.port), echo)).rejects.toMatchObject({ name: 'NodeUnreachable' });
  stranger.close();
});

it('a node that is told too much says so', async () => {
  const call = client.call(addressOf(node.port), { ...echo, body: 'x'.repeat(2_000_000) });
  await expect(call).rejects.toMatchObject({ name: 'Problem', status: 413 });
});

it('nobody listening is unreachable', async () => {
  const server = createServer();
  const port = await portOf(server);
  server.close();
  await once(server, 'close');
  const error = await unreachable(client.call(addressOf(port), echo));
  expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
});

it('gives up at its deadline while a node works on the answer', async () => {
  const started = performance.now();
  await unreachable(client.call(addressOf(node.port), get('/v1/never', 150)));
  const took = performance.now() - started;
  expect(took).toBeGreaterThanOrEqual(145);
  expect(took).toBeLessThan(1_000);
});

it('gives up at its deadline on a node that accepts and says nothing', { timeout: 1_000 }, async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  await unreachable(client.call(addressOf(await portOf(silent)), get('/v1/number', 150)));
});

it('gives up at its deadline in the middle of an answer', async () => {
  const { port, server } = await notingServer('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"said":');
  const started = performance.now();
  await unreachable(client.call(addressOf(port), get('/v1/number', 150)));
  expect(performance.now() - started).toBeLessThan(1_000);
  server.close();
});

it.each([
  ['not JSON', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK'],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
])('an answer that is %s does not come from a node', async (_, says) => {
  const { port, server } = await notingServer(says);
  await unreachable(client.call(addressOf(port), echo));
  client.close();
  server.close();
});

it('does not read an answer without end', async () => {
  const error = await unreachable(client.call(addressOf(node.port), get('/v1/long')));
  expect(error.message).toContain('longer than');
});

it('keeps its connection to a node between calls, and closes it in the end', async () => {
  let connections = 0;
  const server = createTlsServer({ key: certificate.key, cert: certificate.cert }, (socket) => {
    connections += 1;
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{"said":"ja"}'));
    socket.on('error', () => undefined);
  });
  const address = addressOf(await portOf(server));
  await client.call(address, echo);
  await client.call(address, echo);
  expect(connections).toBe(1);
  client.close();
  // Calls back once no connection is left.
  server.close();
  await once(server, 'close');
});

/** A node whose `/v1/slow` and `/v1/status` do what a test says. */
async function startDoubted(slow: () => unknown, status: () => unknown = () => ({})): Promise<NodeAddress> {
  const server = await ControlServer.listen({
    address: '127.0.0.1',
    port: 0,
    certificate,
    clusterKey,
    incarnation,
    routes: [
      { method: 'GET', path: '/v1/slow', handle: slow },
      { method: 'GET', path: '/v1/status', handle: status },
    ],
    log: pino({ level: 'silent' }),
  });
  onTestFinished(() => {
    client.close();
    return server.close();
  });
  return addressOf(server.port);
}
const PROBE = 100;
const doubtingly = (address: NodeAddress, timeout = 5_000) =>
  client.callOrDoubt(address, get('/v1/slow', timeout), PROBE);
/** How long a call took that could not be answered, ms. */
async function givenUpAfter(call: Promise<unknown>): Promise<number> {
  const started = performance.now();
  await unreachable(call);
  return performance.now() - started;
}
const later = <T>(ms: number, value: T) => new Promise<T>((resolve) => setTimeout(resolve, ms, value));

/** Accepts connections as a frozen process's kernel does, and says nothing on them. */
async function frozenServer(): Promise<{ address: NodeAddress; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    sockets.push(socket);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: addressOf(await portOf(server)), sockets };
}

it('one that accepts and never says a word is given up after two probes, not after the whole timeout', async () => {
  const { address, sockets } = await frozenServer();
  const took = await givenUpAfter(doubtingly(address));
  expect(took).toBeGreaterThanOrEqual(2 * PROBE - 10);
  expect(took).toBeLessThan(2 * PROBE + 500);
  expect(sockets).toHaveLength(2);
});

it('one that freezes with the request in hand is given up after two probes, and its connections end', async () => {
  const asked = Promise.withResolvers<void>();
  const sockets = new Set<Socket>();
  const server = createTlsServer({ key: certificate.key, cert: certificate.cert }, (socket) => {
    sockets.add(socket);
    socket.on('data', () => asked.resolve());
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });
  onTestFinished(() => void server.close());
  const address = addressOf(await portOf(server));
  const took = givenUpAfter(doubtingly(address));
  await asked.promise;
  expect(await took).toBeLessThan(2 * PROBE + 500);
  await vi.waitFor(() => expect(sockets.size).toBe(0), { timeout: 400 });
});

it('one that is slow but says that it lives is waited for', async () => {
  const status = vi.fn<() => unknown>(() => ({}));
  const address = await startDoubted(() => later(5 * PROBE, { said: 'late' }), status);
  expect(await doubtingly(address)).toEqual({ said: 'late' });
  expect(status).toHaveBeenCalledTimes(1);
});

it('one that lives and refuses to say how it is is waited for too', async () => {
  const status = () => {
    throw unavailable('node-full', 'not now', 1);
  };
  const address = await startDoubted(() => later(4 * PROBE, { said: 'late' }), status);
  expect(await doubtingly(address)).toEqual({ said: 'late' });
});

it('one that lives is not waited for past the timeout', async () => {
  const address = await startDoubted(() => new Promise(() => undefined));
  const took = await givenUpAfter(doubtingly(address, 4 * PROBE));
  expect(took).toBeGreaterThanOrEqual(4 * PROBE - 10);
  expect(took).toBeLessThan(4 * PROBE + 500);
});

it('one that answers in time is not asked whether it lives, then or later', async () => {
  const status = vi.fn<() => unknown>(() => ({}));
  const address = await startDoubted(() => ({ said: 'at once' }), status);
  expect(await doubtingly(address)).toEqual({ said: 'at once' });
  await later(2 * PROBE, undefined);
  expect(status).not.toHaveBeenCalled();
});

it('its refusal comes through at once, though it would not say that it lives', async () => {
  const refused = () => {
    throw unavailable('node-full', 'no room on this node', 7);
  };
  const address = await startDoubted(refused, () => new Promise(() => undefined));
  const started = performance.now();
  await expect(doubtingly(address)).rejects.toMatchObject({
    name: 'Problem',
    status: 503,
    code: 'node-full',
  });
  expect(performance.now() - started).toBeLessThan(PROBE);
});

it('an answer that comes while its probe is under way is taken, and the probe’s failure bothers nobody', async () => {
  const status = () => new Promise(() => undefined);
  const address = await startDoubted(() => later(1.5 * PROBE, { said: 'just in time' }), status);
  expect(await doubtingly(address)).toEqual({ said: 'just in time' });
  // A rejection that nobody handles would fail the run.
  await later(1.5 * PROBE, undefined);
});

it('a node that cannot be reached at all is not doubted first', async () => {
  const server = createServer();
  const port = await portOf(server);
  server.close();
  await once(server, 'close');
  expect(await givenUpAfter(doubtingly(addressOf(port)))).toBeLessThan(PROBE);
});
