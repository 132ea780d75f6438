// What a node lets in: by its limits, by who waits to connect, and by where a leg comes from.

import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { Background } from '#media-fleet/background.ts';
import { controlRoutes } from '#media-fleet/control-routes.ts';
import type { ControlRoute } from '#media-fleet/control-server.ts';
import { Peers } from '#media-fleet/peers.ts';
import { Streams } from '#media-fleet/streams.ts';
import { Sweep } from '#media-fleet/sweep.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { NodeClient } from '#routing/node-client.ts';
import {
  type LegRequest,
  sessionAnswer,
  type WhepRequest,
  type WhipRequest,
} from '#routing/node-messages.ts';
import type { NodeLimits, NodeRecord, NodeState } from '#routing/node-record.ts';
import type { NodeRegistry } from '#routing/node-registry.ts';
import { RegionClient } from '#routing/region-client.ts';
import { RequestLimits, rateLimits } from '#routing/request-limits.ts';
import { RouteCache } from '#routing/route-cache.ts';
import type { StreamMap } from '#routing/stream-map.ts';
import { timingFrom } from '#routing/timing.ts';
import { claimsOf, nodeRecord, originClaim } from '#test/unit/routing/samples.ts';
import { silent, startWorkers } from './media.ts';
import { plainOffer } from './sdp/offers.ts';

const self = { region: 'eu-west-1', nodeId: 'i-self', incarnation: 'self-start-1' };
const timing = timingFrom({});
const nodes = new NodeClient(new Uint8Array(32).fill(1));
const regions = new RegionClient({
  regions: [],
  credentials: async () => ({ accessKeyId: 'local', secretAccessKey: 'secret' }),
  timeout: timing.call,
});
const unused = () => Promise.reject(new Error('not used here'));
const streamMap: StreamMap = {
  read: unused,
  claimOrigin: unused,
  claimRegion: unused,
  release: unused,
  setYields: unused,
  held: unused,
};
const list = vi.fn<NodeRegistry['list']>();

let workers: Workers;
let streams: Streams;
let sweep: Sweep;
let routes: ControlRoute[];
let limits: NodeLimits;
let cpu: number;
let state: NodeState;
let clock: number;

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(async () => {
  nodes.close();
  await workers.close();
});
beforeEach(() => {
  limits = { publishers: 1, viewers: 20, cpu: 0.85 };
  cpu = 0;
  state = 'SERVING';
  clock = 0;
  vi.spyOn(workers, 'usage', 'get').mockImplementation(() => ({ cpu, memory: 0 }));
  list.mockReset().mockResolvedValue([]);
  const nodeRegistry: NodeRegistry = { beat: unused, remove: unused, list };
  const peers = new Peers(new RouteCache({ streamMap, nodeRegistry, maxAge: 0 }), nodes, timing);
  const background = new Background(silent);
  const context = { streamMap, peers, nodes, regions, workers, background, timing, log: silent };
  streams = new Streams({ ...context, self, maxChildren: 32, failback: true });
  sweep = new Sweep({ ...context, self });
  routes = controlRoutes({
    self,
    group: 'edge',
    state: () => state,
    load: () => ({ ...streams.load, ...workers.usage }),
    limits,
    requestLimits: new RequestLimits({
      limits: rateLimits.parse({}),
      onRefusal: () => undefined,
      now: () => clock,
    }),
    streams,
    workers,
    peers,
    sweep,
  });
});
afterEach(async () => {
  streams.close();
  await sweep.close();
});

/** What the route answers to a body. */
async function ask(route: string, body?: unknown, id = ''): Promise<unknown> {
  const found = routes.find(({ method, path }) => `${method} ${path}` === route);
  if (found === undefined) throw new Error(`no route is ${route}`);
  return found.handle({ query: new URLSearchParams(), params: { id }, body });
}

const whip: WhipRequest = {
  v: 1,
  stream: 'concert',
  offer: plainOffer(),
  tokenId: 'token-1',
  viewing: 'open',
  priority: 0,
  takeover: 'same-token',
};
const whep: WhepRequest = {
  v: 1,
  stream: 'concert',
  offer: plainOffer([/sendonly/g, 'recvonly']),
  claims: claimsOf([]),
  counterOffer: false,
};
const leg: LegRequest = {
  v: 1,
  requestId: crypto.randomUUID(),
  stream: 'concert',
  region: self.region,
  nodeId: 'i-child',
  incarnation: 'child-start-1',
  epoch: 1,
  ip: '10.0.0.2',
  port: 20_000,
  srtpParameters: { cryptoSuite: 'AEAD_AES_128_GCM', keyBase64: Buffer.alloc(28).toString('base64') },
  pulse: { codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000 }] },
};
const publish = () => ask('POST /v1/whip', whip);
const watch = () => ask('POST /v1/whep', whep);
const full = (said: string) => ({
  status: 503,
  code: 'node-full',
  headers: { 'Retry-After': expect.stringMatching(/^[1-9]\d*$/) },
  message: expect.stringContaining(said),
});
/** The stream is nobody's, which a viewer learns once it is let in and the registry answers. */
const LET_IN = { status: 409, code: 'stream-not-live' };

/** Viewers that are let in wait from here until `go`. */
function holdViewers(): { go: () => void } {
  const { promise, resolve } = Promise.withResolvers<NodeRecord[]>();
  list.mockReturnValue(promise);
  return { go: () => resolve([]) };
}

it('a node at its publishers’ limit is full until one of them leaves', async () => {
  const { sessionId } = sessionAnswer.parse(await publish());
  await expect(publish()).rejects.toMatchObject(full('node i-self has its 1 publishers'));
  await ask('DELETE /v1/sessions/{id}', undefined, sessionId);
  expect(sessionAnswer.parse(await publish()).sessionId).not.toBe(sessionId);
});

it('of two publishers that come at once for the last place one gets it', async () => {
  const [first, second] = await Promise.allSettled([publish(), publish()]);
  expect(first.status).toBe('fulfilled');
  expect(second).toMatchObject({ status: 'rejected', reason: full('1 publishers') });
});

it('a publisher that is refused takes no place', async () => {
  const asked = { ...whip, offer: plainOffer(['VP8/90000', 'H265/90000']) };
  await expect(ask('POST /v1/whip', asked)).rejects.toMatchObject({ status: 422 });
  await expect(publish()).resolves.toMatchObject({ v: 1 });
});

it('viewers that come at once for the last places get no more than there are, and give them back', async () => {
  limits.viewers = 2;
  const { go } = holdViewers();
  const asked = [watch(), watch(), watch()];
  await expect(asked[2]).rejects.toMatchObject(full('node i-self has its 2 viewers'));
  go();
  for (const letIn of asked.slice(0, 2)) await expect(letIn).rejects.toMatchObject(LET_IN);
  await expect(watch()).rejects.toMatchObject(LET_IN);
});

it.each([
  ['ten', 20, 10],
  ['a fifth of its viewers', 60, 12],
])('more than %s that have not connected yet are refused', async (_, viewers, most) => {
  limits.viewers = viewers;
  const { go } = holdViewers();
  const connecting = Promise.allSettled(Array.from({ length: most }, watch));
  await expect(watch()).rejects.toMatchObject(full(`${most} viewers of node i-self have not connected`));
  go();
  for (const letIn of await connecting) expect(letIn).toMatchObject({ reason: LET_IN });
  await expect(watch()).rejects.toMatchObject(LET_IN);
});

it('a node whose busiest worker is at the limit is full for both', async () => {
  cpu = 0.849;
  await expect(watch()).rejects.toMatchObject(LET_IN);
  cpu = 0.85;
  await expect(watch()).rejects.toMatchObject(full('85%'));
  await expect(publish()).rejects.toMatchObject(full('85%'));
});

const tooMany = (said: string) => ({
  status: 429,
  code: 'too-many-requests',
  headers: { 'Retry-After': '1' },
  message: expect.stringContaining(said),
});

/** Settles each, one after another. */
async function outcomes(
  count: number,
  asked: () => Promise<unknown>,
): Promise<PromiseSettledResult<unknown>[]> {
  const settled: PromiseSettledResult<unknown>[] = [];
  for (let at = 0; at < count; at += 1) settled.push(...(await Promise.allSettled([asked()])));
  return settled;
}

it('viewers of one address are refused beyond its limit, before the node’s own room is asked; others are not', async () => {
  state = 'DRAINING';
  const from = (address: string) => () => ask('POST /v1/whep', { ...whep, from: address });
  for (const outcome of await outcomes(200, from('192.0.2.1'))) {
    expect(outcome).toMatchObject({ reason: { code: 'node-not-serving' } });
  }
  await expect(from('192.0.2.1')()).rejects.toMatchObject(tooMany('WHEP POSTs from 192.0.2.1'));
  await expect(from('192.0.2.2')()).rejects.toMatchObject({ code: 'node-not-serving' });
  await expect(watch(), 'of a function that does not say').rejects.toMatchObject({
    code: 'node-not-serving',
  });
  clock += 1_000;
  await expect(from('192.0.2.1')()).rejects.toMatchObject({ code: 'node-not-serving' });
});

it('a publish token is refused beyond its limit, whichever function asks; another stream’s is not', async () => {
  state = 'DRAINING';
  await outcomes(10, publish);
  await expect(publish()).rejects.toMatchObject(tooMany('WHIP POSTs of this stream with this token'));
  for (const changes of [{ stream: 'other' }, { tokenId: 'token-2' }]) {
    const other = ask('POST /v1/whip', { ...whip, ...changes });
    await expect(other).rejects.toMatchObject({ code: 'node-not-serving' });
  }
});

it('a session is changed so often only, and ended always', async () => {
  const { sessionId } = sessionAnswer.parse(await publish());
  const body = { v: 1, fragment: 'a=ice-ufrag:x', ifMatch: '"wrong"' };
  const patch = () => ask('PATCH /v1/sessions/{id}', body, sessionId);
  await outcomes(50, patch);
  await expect(patch()).rejects.toMatchObject(tooMany('requests to this session'));
  await expect(ask('DELETE /v1/sessions/{id}', undefined, sessionId)).resolves.toEqual({ v: 1 });
});

it.each(['STARTING', 'DRAINING'] as const)('a node that is %s lets nobody in', async (now) => {
  state = now;
  for (const asked of [publish, watch]) {
    await expect(asked()).rejects.toMatchObject({ status: 503, code: 'node-not-serving' });
  }
});

it('a leg of the region is refused to any address but those that its node registered', async () => {
  const child = nodeRecord({ nodeId: 'i-child', mediaAddresses: ['10.0.0.2', '203.0.113.2'] });
  const neighbour = nodeRecord({ nodeId: 'i-neighbour', mediaAddresses: ['10.0.0.3'] });
  list.mockResolvedValue([neighbour, child]);
  for (const ip of child.mediaAddresses) {
    await expect(ask('POST /v1/legs', { ...leg, ip })).rejects.toMatchObject({ status: 410 });
  }
  for (const changes of [{ ip: '10.0.0.3' }, { nodeId: 'i-unheard-of' }, { nodeId: 'i-neighbour' }]) {
    const { nodeId, ip } = { ...leg, ...changes };
    await expect(ask('POST /v1/legs', { ...leg, ...changes })).rejects.toMatchObject({
      status: 403,
      code: 'unknown-address',
      message: `node ${nodeId} has not registered ${ip}`,
    });
  }
});

it('without a word from the registry no leg of the region is let in, but one of another region is', async () => {
  list.mockRejectedValue(new Error('throttled'));
  await expect(ask('POST /v1/legs', leg)).rejects.toMatchObject({ status: 503 });
  const crossing = { ...leg, region: 'us-east-1' };
  await expect(ask('POST /v1/legs', crossing)).rejects.toMatchObject({ status: 410 });
});

it.each([
  ['POST /v1/whip', { ...whip, priority: 10 }, 'whip: priority'],
  ['POST /v1/whip', undefined, 'whip: '],
  ['POST /v1/whep', { ...whep, claims: { ...whep.claims, origins: [{}] } }, 'whep: claims.origins.0.stream'],
  ['PATCH /v1/sessions/{id}', { v: 1, fragment: 'a=mid:0' }, 'patch: ifMatch'],
  ['POST /v1/sessions/{id}/answer', { v: 2, answer: 'v=0' }, 'answer: v'],
  ['POST /v1/sessions/{id}/events', { v: 1, events: ['active', 'x'] }, 'events: events.1'],
  ['POST /v1/sessions/{id}/events', { v: 1, events: [] }, 'events: events'],
  ['POST /v1/legs', { ...leg, pulse: { codecs: [] } }, 'leg: pulse.codecs'],
  ['POST /v1/notices', { v: 1, stream: 'concert', claim: {} }, 'notice: claim.stream'],
  ['POST /v1/doubts', { v: 1 }, 'doubt: claim'],
  ['POST /v1/priorities', { v: 1, claim: originClaim(), priority: 10 }, 'priority: priority'],
])('%s with a body of another form is a 400 that says where: %#', async (route, body, said) => {
  await expect(ask(route, body)).rejects.toMatchObject({
    status: 400,
    code: 'invalid-request',
    message: expect.stringContaining(said),
  });
});

it('a publisher’s session, and one that never was, have no events', async () => {
  const { sessionId } = sessionAnswer.parse(await publish());
  for (const id of [sessionId, crypto.randomUUID()]) {
    const wanted = { v: 1, events: ['active'] };
    await expect(ask('POST /v1/sessions/{id}/events', wanted, id)).rejects.toMatchObject({ status: 404 });
    await expect(ask('GET /v1/sessions/{id}/events/{subscription}', undefined, id)).rejects.toMatchObject({
      status: 404,
    });
  }
});
