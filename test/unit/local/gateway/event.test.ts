// Requests as API Gateway would hand them to a function, and a function's answers on the wire.

import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { matchRoute, PayloadTooLong, readPayload, toEvent, writeAnswer } from '#local/gateway/event.ts';

it.each([
  ['POST', '/whip/concert', 'whip', { stream: 'concert' }],
  ['DELETE', '/whip/concert/abc.def', 'whip', { stream: 'concert', session: 'abc.def' }],
  ['OPTIONS', '/whep/concert', 'whep', { stream: 'concert' }],
  ['GET', '/whep/a%20b', 'whep', { stream: 'a b' }],
  ['GET', '/whep/%zz', 'whep', { stream: '%zz' }],
  ['POST', '/cascade/concert', 'cascade', { stream: 'concert' }],
  ['GET', '/api/streams', 'api', { proxy: 'streams' }],
  ['GET', '/api/streams/concert', 'api', { proxy: 'streams/concert' }],
  ['GET', '/rest/v2/cluster-nodes', 'cluster-nodes', {}],
  ['GET', '/rest/v2/cluster-nodes/count', 'cluster-nodes', { proxy: 'count' }],
  ['GET', '/healthz', 'healthz', {}],
])('%s %s is for %s', (method, path, name, params) => {
  const matched = matchRoute(method, path);
  expect(matched?.route.function).toBe(name);
  expect(matched?.params).toEqual(params);
});

it.each([
  ['GET', '/'],
  ['POST', '/whip/'],
  ['POST', '/whip/a/b/c'],
  ['GET', '/cascade/concert'],
  ['GET', '/api'],
  ['GET', '/healthz/'],
  ['GET', '/xhealthz'],
])('there is no route for %s %s', (method, path) => {
  expect(matchRoute(method, path)).toBeUndefined();
});

it('only the door between regions needs a signature', () => {
  expect(matchRoute('POST', '/cascade/concert')?.route.auth).toBe('iam');
  expect(matchRoute('POST', '/whip/concert')?.route.auth).toBe('none');
});

let server: Server;
let port: number;
let serve: (incoming: IncomingMessage, response: ServerResponse) => unknown;

beforeAll(async () => {
  server = createServer((incoming, response) => serve(incoming, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  serve = (_, response) => response.end();
});

interface Sent {
  method?: string;
  path: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

async function send({ method = 'GET', path, headers = {}, body = '' }: Sent) {
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  const answered = once(outgoing, 'response');
  outgoing.end(body);
  const [response] = await answered;
  return { status: response.statusCode, headers: response.headers, body: await buffer(response) };
}

/** The event that a request becomes. */
async function eventOf(sent: Sent): Promise<APIGatewayProxyEventV2> {
  const made = Promise.withResolvers<APIGatewayProxyEventV2>();
  serve = async (incoming, response) => {
    const payload = await readPayload(incoming);
    const matched = matchRoute(incoming.method ?? '', new URL(incoming.url ?? '', 'http://x').pathname);
    if (matched) made.resolve(toEvent(incoming, { ...matched, payload }));
    else made.reject(new Error('no route'));
    response.end();
  };
  await send(sent);
  return made.promise;
}

it('an SDP body comes base64-encoded, whatever its content', async () => {
  const body = 'v=0\r\n\u00fc';
  const event = await eventOf({
    method: 'POST',
    path: '/whip/concert',
    headers: { 'Content-Type': 'application/sdp' },
    body,
  });
  expect(event.isBase64Encoded).toBe(true);
  expect(Buffer.from(event.body ?? '', 'base64').toString()).toBe(body);
});

it.each(['text/plain', 'application/json', 'application/json; charset=utf-8'])(
  'a %s body comes as it is',
  async (type) => {
    const event = await eventOf({
      method: 'POST',
      path: '/whip/concert',
      headers: { 'content-type': type },
      body: '{"ü":1}',
    });
    expect(event).toMatchObject({ isBase64Encoded: false, body: '{"ü":1}' });
  },
);

it('bytes that are no text survive', async () => {
  const body = Buffer.from([0, 0xff, 0xfe, 0x80]);
  const event = await eventOf({ method: 'POST', path: '/whip/concert', body });
  expect(Buffer.from(event.body ?? '', 'base64').equals(body)).toBe(true);
});

it('without a body there is none', async () => {
  const event = await eventOf({ path: '/whep/concert' });
  expect(event).not.toHaveProperty('body');
  expect(event.isBase64Encoded).toBe(false);
});

it('says what was asked, by whom, in the words of payload format 2.0', async () => {
  const event = await eventOf({
    method: 'PATCH',
    path: '/whip/concert/abc?token=a%2Bb&empty=',
    headers: { 'If-Match': '"x"', 'User-Agent': 'OBS', Accept: ['a', 'b'], Host: 'live.example' },
  });
  expect(event).toMatchObject({
    version: '2.0',
    routeKey: 'ANY /whip/{stream}/{session}',
    rawPath: '/whip/concert/abc',
    rawQueryString: 'token=a%2Bb&empty=',
    headers: { 'if-match': '"x"', host: 'live.example' },
    queryStringParameters: { token: 'a+b', empty: '' },
    pathParameters: { stream: 'concert', session: 'abc' },
    requestContext: {
      domainName: 'live.example',
      http: {
        method: 'PATCH',
        path: '/whip/concert/abc',
        sourceIp: '127.0.0.1',
        userAgent: 'OBS',
        protocol: 'HTTP/1.1',
      },
      routeKey: 'ANY /whip/{stream}/{session}',
    },
  });
  expect(event.headers.accept?.replaceAll(' ', '')).toBe('a,b');
});

it('has no query parameters without a query', async () => {
  expect(await eventOf({ path: '/whep/concert' })).not.toHaveProperty('queryStringParameters');
});

it('joins a query parameter that is given twice', async () => {
  expect((await eventOf({ path: '/whep/concert?a=1&a=2' })).queryStringParameters).toEqual({ a: '1,2' });
});

it('reads a payload of 10 MB and refuses a longer one, having read it', async () => {
  const verdicts: unknown[] = [];
  serve = async (incoming, response) => {
    const read = await readPayload(incoming).then(
      ({ length }) => length,
      (error: unknown) => error,
    );
    verdicts.push(read, incoming.complete);
    response.end();
  };
  await send({ method: 'POST', path: '/whip/x', body: Buffer.alloc(10_485_760) });
  await send({ method: 'POST', path: '/whip/x', body: Buffer.alloc(10_485_761) });
  expect(verdicts).toEqual([10_485_760, true, expect.any(PayloadTooLong), true]);
});

async function written(answer: APIGatewayProxyStructuredResultV2) {
  serve = (_, response) => writeAnswer(response, answer);
  return send({ path: '/' });
}

it('writes an answer with its headers and the length of its bytes', async () => {
  const { status, headers, body } = await written({
    statusCode: 201,
    headers: { ETag: '"x"', 'X-N': 7 },
    body: 'ü',
  });
  expect(status).toBe(201);
  expect(headers).toMatchObject({ etag: '"x"', 'x-n': '7', 'content-length': '2' });
  expect(body.toString()).toBe('ü');
});

it('writes base64 as the bytes that it stands for', async () => {
  const { body } = await written({ statusCode: 200, body: '/wD+', isBase64Encoded: true });
  expect([...body]).toEqual([0xff, 0x00, 0xfe]);
});

it('a 204 has neither body nor length', async () => {
  const { status, headers, body } = await written({ statusCode: 204 });
  expect(status).toBe(204);
  expect(headers).not.toHaveProperty('content-length');
  expect(body).toHaveLength(0);
});

it('an answer without a status is a 200', async () => {
  expect((await written({ body: 'ok' })).status).toBe(200);
});
