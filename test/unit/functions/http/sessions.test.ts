// Sessions placed on real control servers: who is tried, in which order, and what a session's URL leads to.

import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { FunctionContext } from '#functions/context.ts';
import type { chooseLayer, deleteSession, openSession, patchSession } from '#functions/http/sessions.ts';
import { type Certificate, makeCertificate } from '#media-fleet/certificate.ts';
import { type ControlRequest, ControlServer } from '#media-fleet/control-server.ts';
import { layerMessage } from '#routing/node-messages.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import { Problem, unavailable } from '#routing/problem.ts';
import { nodeRecord } from '#test/unit/routing/samples.ts';
import { API, httpEvent, type Sent } from '../events.ts';
import { REGION, startRegion, type TestRegion } from '../region.ts';

let region: TestRegion;
let context: FunctionContext;
let sessions: {
  openSession: typeof openSession;
  patchSession: typeof patchSession;
  deleteSession: typeof deleteSession;
  chooseLayer: typeof chooseLayer;
};

beforeAll(async () => {
  certificates = await Promise.all(['first', 'second'].map(makeCertificate));
  region = await startRegion();
  sessions = await import('#functions/http/sessions.ts');
  context = (await import('#functions/here.ts')).here;
});

interface TestNode {
  record: NodeRecord;
  server: ControlServer;
  /** What was asked of it, as `method path`. */
  asked: string[];
}
let nodes: TestNode[];
/** One for each node of a test. */
let certificates: Certificate[];
beforeEach(() => {
  nodes = [];
});
afterEach(async () => {
  for (const { server, record } of nodes) {
    await server.close();
    await region.registry.remove(record);
  }
});

const sessionId = randomUUID();

/** A registered node whose control server is real, and answers sessions as it is told. */
async function startNode(
  nodeId: string,
  changes: Partial<NodeRecord> = {},
  open: (request: ControlRequest) => unknown = () => ({
    v: 1,
    sessionId,
    answer: 'v=0\r\n',
    etag: '"first"',
  }),
  clusterKey = region.clusterKey,
): Promise<TestNode> {
  const certificate = certificates[nodes.length];
  if (certificate === undefined) throw new Error('more nodes than certificates');
  const asked: string[] = [];
  const noting = (method: string, path: string, handle: (request: ControlRequest) => unknown) => ({
    method,
    path,
    handle: (request: ControlRequest) => {
      asked.push(`${method} ${path}`);
      return handle(request);
    },
  });
  const incarnation = `${nodeId}-start-1`;
  const server = await ControlServer.listen({
    address: '127.0.0.1',
    port: 0,
    certificate,
    clusterKey,
    incarnation,
    routes: [
      noting('POST', '/v1/whip', open),
      noting('POST', '/v1/whep', open),
      noting('PATCH', '/v1/sessions/{id}', ({ params, body }) => patched(params.id, body)),
      noting('POST', '/v1/sessions/{id}/answer', ({ body }) => {
        if (!JSON.stringify(body).includes('"answer":"v=0'))
          throw new Problem(400, 'invalid-request', 'no answer');
        return { v: 1 };
      }),
      noting('POST', '/v1/sessions/{id}/layer', ({ body }) => {
        const { layer } = layerMessage.parse(body);
        if (layer.rid === 'x') throw new Problem(422, 'unknown-layer', 'no layer x; it has q, h, f');
        return { v: 1 };
      }),
      noting('DELETE', '/v1/sessions/{id}', ({ params }) => {
        if (params.id !== sessionId) throw new Problem(404, 'unknown-session', 'no such session');
        return { v: 1 };
      }),
    ],
    log: pino({ level: 'silent' }),
  });
  const record = nodeRecord({
    nodeId,
    incarnation,
    region: REGION,
    heartbeatAt: Date.now(),
    control: `127.0.0.1:${server.port}`,
    fingerprint: certificate.fingerprint,
    ...changes,
  });
  await region.registry.beat(record);
  const node = { record, server, asked };
  nodes.push(node);
  return node;
}

function patched(id: string | undefined, body: unknown): unknown {
  if (id !== sessionId) throw new Problem(404, 'unknown-session', 'no such session');
  const restart = JSON.stringify(body).includes('"ifMatch":"*"');
  return restart ? { v: 1, fragment: 'a=ice-lite\r\n', etag: '"second"' } : { v: 1 };
}

const full = () => {
  throw unavailable('node-full', 'no room', 9);
};
const load = (viewers: number) => ({ ...nodeRecord().load, viewers });

const watch = (changes: Partial<Parameters<typeof openSession>[1]> = {}) =>
  sessions.openSession(context, {
    use: 'whep',
    stream: 'concert',
    group: 'edge',
    protected: false,
    body: { v: 1 },
    ...changes,
  });

it('answers 201 with the node’s answer, its tag, and a regional URL for the session', async () => {
  await startNode('i-1');
  const { statusCode, headers, body } = await watch();
  expect(statusCode).toBe(201);
  expect(body).toBe('v=0\r\n');
  expect(headers).toMatchObject({
    'Content-Type': 'application/sdp',
    ETag: '"first"',
    Location: expect.stringContaining(`${API}/whep/concert/`),
  });
});

it('says which region and node serve it, and where a player chooses its layer and hears of events', async () => {
  const { record } = await startNode('i-1');
  const { headers = {} } = await watch({ protected: true, urlToken: 'abc' });
  expect(headers).toMatchObject({ 'Meridian-Region': REGION, 'Meridian-Node': record.nodeId });
  const session = new URL(String(headers.Location));
  expect(session.searchParams.get('token')).toBe('abc');
  const below = (name: string) => `${session.origin}${session.pathname}/${name}${session.search}`;
  expect(String(headers.Link).split(', ')).toEqual([
    `<${below('layer')}>; rel="urn:ietf:params:whep:ext:core:layer"`,
    `<${below('events')}>; rel="urn:ietf:params:whep:ext:core:server-sent-events"; events="active,inactive,viewercount,layers,reconnect"`,
  ]);
});

it('a publisher has no layer to choose', async () => {
  await startNode('i-1', { group: 'origin' });
  const { headers = {} } = await watch({ use: 'whip', group: 'origin' });
  expect(headers).toMatchObject({ 'Meridian-Region': REGION, 'Meridian-Node': 'i-1' });
  expect(headers).not.toHaveProperty('Link');
});

it('a node that is full is left out, and the next one tried', async () => {
  const [emptier, other] = [
    await startNode('i-1', { load: load(0) }, full),
    await startNode('i-2', { load: load(9) }),
  ];
  expect((await watch()).statusCode).toBe(201);
  expect([emptier.asked, other.asked]).toEqual([['POST /v1/whep'], ['POST /v1/whep']]);
});

it('a node that does not answer is left out, and the next one tried', async () => {
  const [gone, other] = [
    await startNode('i-1', { load: load(0) }),
    await startNode('i-2', { load: load(9) }),
  ];
  await gone.server.close();
  expect((await watch()).statusCode).toBe(201);
  expect(other.asked).toEqual(['POST /v1/whep']);
});

it('another node behind a dead one’s address is never spoken to', async () => {
  const other = await startNode('i-other', { group: 'origin' });
  await startNode('i-1', { control: other.record.control });
  await expect(watch()).rejects.toMatchObject({ status: 503, code: 'no-node-answers' });
  expect(other.asked).toEqual([]);
});

it('what is the request’s own fault is not tried on another node', async () => {
  const refuse = () => {
    throw new Problem(422, 'no-common-codec', 'nothing in common');
  };
  const both = [await startNode('i-1', {}, refuse), await startNode('i-2', {}, refuse)];
  await expect(watch()).rejects.toMatchObject({ status: 422, code: 'no-common-codec' });
  expect(both.flatMap(({ asked }) => asked)).toHaveLength(1);
});

it('a node’s rate limit is the client’s to hear, with when to try again, and no other node’s to take', async () => {
  const refuse = () => {
    throw new Problem(429, 'too-many-requests', 'too many', { 'Retry-After': '3' });
  };
  const both = [await startNode('i-1', {}, refuse), await startNode('i-2', {}, refuse)];
  await expect(watch()).rejects.toMatchObject({
    status: 429,
    code: 'too-many-requests',
    headers: { 'Retry-After': '3' },
  });
  expect(both.flatMap(({ asked }) => asked)).toHaveLength(1);
});

// A client is told of what its request did wrong, not of what is between a function and a node.
it.each([
  [400, 'invalid-request'],
  [403, 'unknown-address'],
  [404, 'unknown-path'],
  [500, 'node-error'],
])('a node that answers %i %s is left out, and the next one tried', async (status, code) => {
  const refuse = () => {
    throw new Problem(status, code, 'between us');
  };
  await startNode('i-1', { load: load(0) }, refuse);
  const next = await startNode('i-2', { load: load(9) });
  expect((await watch()).statusCode).toBe(201);
  await next.server.close();
  await expect(watch()).rejects.toMatchObject({ status: 503, headers: { 'Retry-After': '2' } });
});

// client as if its token were bad.
it('a node that does not take our signature is left out, and the next one tried', async () => {
  await startNode('i-stranger', { load: load(0) }, undefined, new Uint8Array(32));
  await startNode('i-2', { load: load(9) });
  expect((await watch()).statusCode).toBe(201);
});

it('when every node refuses, its words are the answer, with when to try again', async () => {
  await startNode('i-1', {}, full);
  await expect(watch()).rejects.toMatchObject({
    status: 503,
    code: 'node-full',
    headers: { 'Retry-After': '9' },
  });
});

it('an origin serves a viewer only when no edge admits it', async () => {
  const origin = await startNode('i-origin', { group: 'origin' });
  const edge = await startNode('i-edge');
  expect((await watch({ lastResort: origin.record })).statusCode).toBe(201);
  expect(origin.asked).toEqual([]);
  await edge.server.close();
  expect((await watch({ lastResort: origin.record })).statusCode).toBe(201);
  expect(origin.asked).toEqual(['POST /v1/whep']);
});

it('a dead node is not tried', async () => {
  const dead = await startNode('i-dead', { heartbeatAt: Date.now() - 120_000 });
  await startNode('i-living');
  await watch();
  expect(dead.asked).toEqual([]);
});

/** Opens a session and gives the path of its URL. */
async function sessionPath(isProtected = false): Promise<string> {
  const { headers } = await watch({ protected: isProtected });
  return new URL(String(headers?.Location)).pathname;
}

const FRAGMENT = { 'Content-Type': 'application/trickle-ice-sdpfrag' };
const patch = (path: string, changes: Partial<Sent> = {}) =>
  sessions.patchSession(
    context,
    'whep',
    httpEvent({
      method: 'PATCH',
      path,
      headers: { ...FRAGMENT, 'If-Match': '"first"' },
      body: 'a=x',
      ...changes,
    }),
  );
const remove = (path: string, headers: Record<string, string> = {}) =>
  sessions.deleteSession(context, 'whep', httpEvent({ method: 'DELETE', path, headers }));

it('candidates are taken without a word', async () => {
  await startNode('i-1');
  expect(await patch(await sessionPath())).toEqual({ statusCode: 204 });
});

it('a restart is answered with a fragment and the new tag', async () => {
  await startNode('i-1');
  expect(await patch(await sessionPath(), { headers: { ...FRAGMENT, 'If-Match': '*' } })).toMatchObject({
    statusCode: 200,
    headers: { 'Content-Type': 'application/trickle-ice-sdpfrag', ETag: '"second"' },
    body: 'a=ice-lite\r\n',
  });
});

it('a PATCH without If-Match is a 428, of another type a 415', async () => {
  const node = await startNode('i-1');
  const path = await sessionPath();
  await expect(patch(path, { headers: FRAGMENT })).rejects.toMatchObject({ status: 428 });
  await expect(
    patch(path, { headers: { 'Content-Type': 'application/json', 'If-Match': '*' } }),
  ).rejects.toMatchObject({ status: 415 });
  expect(node.asked).toEqual(['POST /v1/whep']);
});

it('a counter-offer is a 406 with the offer, and says that the wish was heard', async () => {
  await startNode('i-1');
  expect(await watch({ counterOffer: true })).toMatchObject({
    statusCode: 406,
    headers: { 'Content-Type': 'application/sdp', 'Preference-Applied': 'counter-offer', ETag: '"first"' },
    body: 'v=0\r\n',
  });
});

it('the answer to a counter-offer goes to the node, without an If-Match', async () => {
  const node = await startNode('i-1');
  const path = await sessionPath();
  const sent = { headers: { 'Content-Type': 'application/sdp' }, body: 'v=0\r\n' };
  expect(await patch(path, sent)).toEqual({ statusCode: 204 });
  expect(node.asked).toEqual(['POST /v1/whep', 'POST /v1/sessions/{id}/answer']);
});

const choose = (path: string, body: string, headers: Record<string, string> = {}) =>
  sessions.chooseLayer(context, httpEvent({ method: 'POST', path: `${path}/layer`, body, headers }));

it('a choice of a layer goes to the node, and its refusal to the player', async () => {
  const node = await startNode('i-1');
  const path = await sessionPath();
  expect(await choose(path, '{}')).toMatchObject({ statusCode: 200 });
  expect(await choose(path, '{"mediaId":"1","encodingId":"h","maxHeight":720}')).toMatchObject({
    statusCode: 200,
  });
  expect(node.asked.slice(1)).toEqual(['POST /v1/sessions/{id}/layer', 'POST /v1/sessions/{id}/layer']);
  await expect(choose(path, '{"rid":"x"}')).rejects.toMatchObject({ status: 422, code: 'unknown-layer' });
});

it.each([
  'hello',
  '[]',
  '{"maxHeight":0}',
  '{"maxHeight":4321}',
  '{"maxWidth":"640"}',
  '{"spatialLayerId":-1}',
  '{"temporalLayerId":1.5}',
  '{"rid":""}',
  '{"encodingId":"q","rid":"h"}',
  '{"quality":"best"}',
])('a layer that is none is a 400, and the node is not asked: %s', async (body) => {
  const node = await startNode('i-1');
  await expect(choose(await sessionPath(), body)).rejects.toMatchObject({ status: 400 });
  expect(node.asked).toEqual(['POST /v1/whep']);
});

it('a protected session’s layer is chosen by its token’s holder only', async () => {
  await startNode('i-1');
  const path = await sessionPath(true);
  await expect(choose(path, '{}')).rejects.toMatchObject({ status: 401 });
  const token = await region.token({ aud: 'subscribe' });
  expect(await choose(path, '{}', { Authorization: `Bearer ${token}` })).toMatchObject({ statusCode: 200 });
});

it('DELETE ends the session on its node, whatever its If-Match', async () => {
  const node = await startNode('i-1');
  expect(await remove(await sessionPath(), { 'If-Match': '"wrong"' })).toEqual({ statusCode: 200 });
  expect(node.asked).toEqual(['POST /v1/whep', 'DELETE /v1/sessions/{id}']);
});

it('a session’s URL is good for its own stream and use only', async () => {
  await startNode('i-1');
  const path = await sessionPath();
  await expect(remove(path.replace('/concert/', '/other/'))).rejects.toMatchObject({ status: 404 });
  const whip = httpEvent({ method: 'DELETE', path: path.replace('/whep/', '/whip/') });
  await expect(sessions.deleteSession(context, 'whip', whip)).rejects.toMatchObject({ status: 404 });
});

it('a protected session is ended by its token’s holder only, even after the token expired', async () => {
  await startNode('i-1');
  const path = await sessionPath(true);
  await expect(remove(path)).rejects.toMatchObject({ status: 401 });
  const other = await region.token({ aud: 'subscribe', stream: 'other' });
  await expect(remove(path, { Authorization: `Bearer ${other}` })).rejects.toMatchObject({ status: 401 });
  const expired = await region.token({ aud: 'subscribe', expiresAt: 1_000_000_000 });
  expect(await remove(path, { Authorization: `Bearer ${expired}` })).toEqual({ statusCode: 200 });
});

it('the sessions of a node that is dead or started anew are gone: 404', async () => {
  const node = await startNode('i-1');
  await startNode('i-2', { group: 'origin' });
  const path = await sessionPath();
  await node.server.close();
  await region.registry.beat({ ...node.record, incarnation: 'i-1-start-2', heartbeatAt: Date.now() });
  await expect(remove(path)).rejects.toMatchObject({ status: 404, code: 'unknown-session' });
  await region.registry.remove({ nodeId: 'i-1', incarnation: 'i-1-start-2' });
});

it('the sessions of a living node that only does not answer are still there: 503', async () => {
  const node = await startNode('i-1');
  const path = await sessionPath();
  await node.server.close();
  await expect(remove(path)).rejects.toMatchObject({ status: 503, code: 'node-unreachable' });
});
