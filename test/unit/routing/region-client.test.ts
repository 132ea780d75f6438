// Calls to another region's API over real HTTP: what is sent, and what is made of every kind of answer.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { LegRequest, Notice } from '#routing/node-messages.ts';
import { Problem } from '#routing/problem.ts';
import { RegionClient } from '#routing/region-client.ts';
import { originClaim } from './samples.ts';

const stale = { v: 1, result: 'stale', reason: 'read the map again' } as const;
const leg: LegRequest = {
  v: 1,
  requestId: crypto.randomUUID(),
  stream: 'concert',
  region: 'us-east-1',
  nodeId: 'i-edge',
  incarnation: 'edge-start-1',
  epoch: 1,
  ip: '203.0.113.1',
  port: 20_000,
  srtpParameters: { cryptoSuite: 'AEAD_AES_128_GCM', keyBase64: 'AAAA' },
  pulse: { codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000 }] },
};

let server: Server;
let client: RegionClient;
/** What the region does with a request. */
let answer: (response: ServerResponse) => void;
let received: { request: IncomingMessage; body: string }[];

beforeAll(async () => {
  server = createServer(async (request, response) => {
    received.push({ request, body: await text(request) });
    answer(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  client = new RegionClient({
    regions: [
      { id: 'eu-west-1', api: `http://127.0.0.1:${port}` },
      // Nobody listens on the discard port.
      { id: 'us-west-2', api: 'http://127.0.0.1:9' },
    ],
    credentials: async () => ({ accessKeyId: 'local', secretAccessKey: 'secret' }),
    timeout: 200,
  });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  received = [];
  answer = (response) => response.end(JSON.stringify(stale));
});

const answering = (status: number, body: string) => (response: ServerResponse) => {
  response.writeHead(status).end(body);
};

it('asks a region for a leg by a request signed for that region', async () => {
  expect(await client.askLeg('eu-west-1', leg)).toEqual(stale);
  const [first] = received;
  expect(first?.request).toMatchObject({ method: 'POST', url: '/cascade/concert' });
  expect(JSON.parse(first?.body ?? '')).toEqual({ ask: 'leg', leg });
  expect(first?.request.headers.authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=local\/\d{8}\/eu-west-1\/execute-api\/aws4_request, /,
  );
});

it('tells a region something', async () => {
  answer = (response) => response.end('{"v":1}');
  const notice: Notice = { v: 1, stream: 'concert', claim: originClaim({ epoch: 4 }) };
  await client.tell('eu-west-1', notice);
  expect(received.map(({ body }) => JSON.parse(body))).toEqual([{ ask: 'notice', notice }]);
});

it('a region’s Problem comes through', async () => {
  const problem = new Problem(410, 'stream-not-here', 'gone');
  answer = answering(410, JSON.stringify(problem));
  await expect(client.askLeg('eu-west-1', leg)).rejects.toEqual(problem);
});

it('a refusal of API Gateway’s own is a Problem of that status', async () => {
  answer = answering(403, '{"message":"Forbidden"}');
  await expect(client.askLeg('eu-west-1', leg)).rejects.toMatchObject({
    status: 403,
    code: 'remote-error',
    message: 'region eu-west-1 answered 403: {"message":"Forbidden"}',
  });
});

it.each([
  ['is not JSON', answering(503, '<html>'), 'region eu-west-1 answered 503, not in JSON: <html>'],
  ['breaks off', (response: ServerResponse) => response.socket?.destroy(), 'other side closed'],
  ['does not come', () => undefined, 'timeout'],
])('an answer that %s is a 502 that says so', async (_, how, why) => {
  answer = how;
  await expect(client.askLeg('eu-west-1', leg)).rejects.toMatchObject({
    status: 502,
    code: 'region-unreachable',
    message: expect.stringMatching(`eu-west-1.*${why}|${why}`),
  });
});

it('a region that cannot be reached is a 502', async () => {
  await expect(client.askLeg('us-west-2', leg)).rejects.toMatchObject({
    status: 502,
    code: 'region-unreachable',
    message: expect.stringContaining('bad port'),
  });
});

it('a region that is not configured is a 502 without a call', async () => {
  await expect(client.askLeg('sa-east-1', leg)).rejects.toMatchObject({
    status: 502,
    code: 'unknown-region',
  });
  expect(received).toEqual([]);
});

it('does not take an answer of another form', async () => {
  answer = answering(200, '{"v":1,"result":"perhaps"}');
  await expect(client.askLeg('eu-west-1', leg)).rejects.toThrow();
});
