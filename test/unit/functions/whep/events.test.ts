// Subscriptions to events as a player sees them: what is asked of the session's node, and what becomes of its answers.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { FunctionContext } from '#functions/context.ts';
import { makeCertificate } from '#media-fleet/certificate.ts';
import { type ControlRequest, ControlServer } from '#media-fleet/control-server.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import { Problem } from '#routing/problem.ts';
import { subscribeRequest, type ViewerEvent } from '#routing/viewer-events.ts';
import { silent } from '#test/unit/media-fleet/media.ts';
import { nodeRecord } from '#test/unit/routing/samples.ts';
import { API, call, type Handler, type Sent } from '../events.ts';
import { REGION, startRegion, type TestRegion } from '../region.ts';

const sessionId = randomUUID();
const subscriptionId = randomUUID();

let region: TestRegion;
let context: FunctionContext;
let handler: Handler;
let node: ControlServer;
let record: NodeRecord;
/** What the node has to say, or why it does not. */
let events: ViewerEvent[];
let viewers: number | undefined;
let refusal: Problem | undefined;
/** What it was asked. */
let asked: { events?: readonly string[]; after?: string | null };

function known({ params }: ControlRequest): void {
  if (params.subscription !== subscriptionId)
    throw new Problem(404, 'unknown-subscription', 'no such subscription');
}

beforeAll(async () => {
  region = await startRegion();
  ({ handler } = await import('#functions/whep/handler.ts'));
  context = (await import('#functions/here.ts')).here;
  const certificate = await makeCertificate('i-events');
  node = await ControlServer.listen({
    address: '127.0.0.1',
    port: 0,
    certificate,
    clusterKey: region.clusterKey,
    incarnation: 'i-events-start-1',
    routes: [
      {
        method: 'POST',
        path: '/v1/sessions/{id}/events',
        handle: ({ params, body }) => {
          expect(params.id).toBe(sessionId);
          asked = { events: subscribeRequest.parse(body).events };
          return { v: 1, subscriptionId };
        },
      },
      {
        method: 'GET',
        path: '/v1/sessions/{id}/events/{subscription}',
        handle: (request) => {
          known(request);
          asked = { after: request.query.get('after') };
          if (refusal) throw refusal;
          return { v: 1, events, ...(viewers === undefined ? {} : { viewers }) };
        },
      },
      {
        method: 'DELETE',
        path: '/v1/sessions/{id}/events/{subscription}',
        handle: (request) => {
          known(request);
          return { v: 1 };
        },
      },
    ],
    log: silent,
  });
  record = nodeRecord({
    nodeId: 'i-events',
    incarnation: 'i-events-start-1',
    region: REGION,
    heartbeatAt: Date.now(),
    control: `127.0.0.1:${node.port}`,
    fingerprint: certificate.fingerprint,
  });
  await region.registry.beat(record);
});
afterAll(async () => {
  await node.close();
  await region.registry.remove(record);
});
beforeEach(() => {
  events = [];
  viewers = undefined;
  refusal = undefined;
  asked = {};
});

async function eventsPath(isProtected = false): Promise<string> {
  const { nodeId, incarnation, control, fingerprint } = record;
  const holder = { nodeId, incarnation, control, fingerprint };
  const sealed = await context.sessionUrls.seal({
    use: 'whep',
    stream: 'concert',
    sessionId,
    protected: isProtected,
    ...holder,
  });
  return `/whep/concert/${sealed}/events`;
}
const send = (sent: Sent) => call(handler, sent);
const post = (path: string, body: unknown) => send({ method: 'POST', path, body: JSON.stringify(body) });

it('a subscription is a 201, its URL absolute and under the session’s', async () => {
  const path = await eventsPath();
  const { status, headers } = await post(path, ['active', 'reconnect']);
  expect([status, headers.location]).toEqual([201, `${API}${path}/${subscriptionId}`]);
  expect(asked.events).toEqual(['active', 'reconnect']);
});

it.each([
  ['an event that there is not', ['active', 'scte35']],
  ['no event', []],
  ['no list', 'active'],
])('%s is a 400, and the node is not asked', async (_, body) => {
  expect(await post(await eventsPath(), body)).toMatchObject({
    status: 400,
    json: { type: 'urn:meridian:problem:invalid-request' },
  });
  expect(asked).toEqual({});
});

it('what is no JSON is a 400', async () => {
  expect((await send({ method: 'POST', path: await eventsPath(), body: '[' })).status).toBe(400);
});

it('a protected session’s events need its token, which may come in the URL and then stays there', async () => {
  const path = await eventsPath(true);
  const token = await region.token({ aud: 'subscribe' });
  expect((await post(path, ['active'])).status).toBe(401);
  const { status, headers } = await post(`${path}?token=${token}`, ['active']);
  expect([status, headers.location]).toEqual([201, `${API}${path}/${subscriptionId}?token=${token}`]);
  const below = `${path}/${subscriptionId}`;
  expect((await send({ method: 'GET', path: below })).status).toBe(401);
  expect((await send({ method: 'GET', path: `${below}?token=${token}` })).status).toBe(200);
});

it('a GET answers at once, in the format of event streams', async () => {
  events = [
    { id: 3, event: 'active', data: {} },
    { id: 5, event: 'reconnect', data: { url: 'https://eu-west-1.live.example/whep/a\nb' } },
  ];
  const { status, headers, body } = await send({
    method: 'GET',
    path: `${await eventsPath()}/${subscriptionId}`,
  });
  expect([status, headers['content-type'], headers['cache-control']]).toEqual([
    200,
    'text/event-stream',
    'no-store',
  ]);
  expect(body.split('\n')).toEqual([
    'retry: 2000',
    '',
    'id: 3',
    'event: active',
    'data: {}',
    '',
    'id: 5',
    'event: reconnect',
    'data: {"url":"https://eu-west-1.live.example/whep/a\\nb"}',
    '',
    '',
  ]);
  expect(asked.after).toBeNull();
});

it.each([
  [undefined, 2_000],
  [200, 2_000],
  [1_000, 10_000],
  [1_000_000, 60_000],
])('with %s viewers they come again after %i ms', async (given, retry) => {
  viewers = given;
  const { body } = await send({ method: 'GET', path: `${await eventsPath()}/${subscriptionId}` });
  expect(body).toBe(`retry: ${retry}\n\n`);
});

it.each([429, 503])(
  'a %i would end an EventSource: it gets an empty stream, and comes again later',
  async (status) => {
    refusal = new Problem(status, status === 429 ? 'too-many-requests' : 'busy', 'not now');
    const answer = await send({ method: 'GET', path: `${await eventsPath()}/${subscriptionId}` });
    expect(answer).toMatchObject({ status: 200, body: 'retry: 10000\n\n' });
    expect(answer.headers['content-type']).toBe('text/event-stream');
  },
);

it.each([
  ['7', '7'],
  ['0', '0'],
  ['', null],
  ['-1', null],
  ['another server’s', null],
])('Last-Event-ID %j asks the node for what came after %s', async (given, after) => {
  const path = `${await eventsPath()}/${subscriptionId}`;
  const { status } = await send({ method: 'GET', path, headers: { 'Last-Event-ID': given } });
  expect([status, asked.after]).toEqual([200, after]);
});

it('a subscription is deleted, and one that is not there is a 404', async () => {
  const path = await eventsPath();
  expect((await send({ method: 'DELETE', path: `${path}/${subscriptionId}` })).status).toBe(200);
  for (const method of ['GET', 'DELETE']) {
    expect(await send({ method, path: `${path}/${randomUUID()}` })).toMatchObject({
      status: 404,
      json: { type: 'urn:meridian:problem:unknown-subscription' },
    });
    expect((await send({ method, path: `${path}/..%2f..%2fx` })).status).toBe(404);
  }
});

it('a browser may ask from any page, with the header that an event source sends', async () => {
  const { status, headers } = await send({ method: 'OPTIONS', path: await eventsPath() });
  expect(status).toBe(200);
  expect(headers['access-control-allow-headers']).toContain('Last-Event-ID');
});
