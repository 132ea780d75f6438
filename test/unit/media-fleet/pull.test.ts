// Keeping a stream on a node that does not publish it: real claims, real legs, parents behind real control servers.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import * as z from 'zod';
import { type Database, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { Background } from '#media-fleet/background.ts';
import { type Certificate, makeCertificate } from '#media-fleet/certificate.ts';
import { ControlServer } from '#media-fleet/control-server.ts';
import { Peers } from '#media-fleet/peers.ts';
import { Pull, type PullContext } from '#media-fleet/pull.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import type { Stream } from '#media-fleet/stream.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { isHeld } from '#routing/claims.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { NodeClient } from '#routing/node-client.ts';
import { type LegAnswer, type LegRequest, legRequest } from '#routing/node-messages.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import { Problem, unavailable } from '#routing/problem.ts';
import { RegionClient } from '#routing/region-client.ts';
import { RouteCache } from '#routing/route-cache.ts';
import { timingFrom } from '#routing/timing.ts';
import { startServer } from '#test/unit/routing/http-server.ts';
import { nodeRecord, originClaim, regionClaim } from '#test/unit/routing/samples.ts';
import { feedByPublisher, openStream, selfOf, startCascade } from './legs.ts';
import { silent, startWorkers } from './media.ts';
import { plainOffer } from './sdp/offers.ts';

const HERE = 'eu-west-1';
const THERE = 'us-east-1';
const timing = timingFrom({
  MERIDIAN_LEG_SILENCE_MS: '5000',
  MERIDIAN_CLAIM_CHECK_MS: '100',
  MERIDIAN_UNUSED_STREAM_TIMEOUT_MS: '300',
  MERIDIAN_CALL_MS: '2000',
});
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
const clusterKey = new Uint8Array(32);
let workers: Workers;
let database: Database;
let map: DynamoStreamMap;
let certificate: Certificate;
/** The stream's origin, in the other region. */
let origin: Stream;
/** Answers the other region's /cascade. */
let cascade: { url: string; close(): Promise<void> };
let context: PullContext;
let nodes: NodeRecord[];
let stream: Stream;
let open: Stream[];

beforeAll(async () => {
  [workers, database, certificate] = await Promise.all([
    startWorkers({ publicAddress: '127.0.0.1' }),
    startDatabase({ regions: [], credentials }),
    makeCertificate('i-parent'),
  ]);
  map = new DynamoStreamMap(database.documents, STREAMS_TABLE);
  cascade = await startCascade(() => origin);
});
afterAll(async () => {
  await workers.close();
  await Promise.all([database.close(), cascade.close()]);
});

const unused = () => Promise.reject(new Error('a pull does not register'));
beforeEach(async () => {
  open = [];
  nodes = [];
  const name = randomUUID();
  origin = await openNode('i-origin', THERE, name);
  await feedByPublisher(workers, origin);
  stream = await openNode('i-here', HERE, name);
  const nodeRegistry = { list: async () => nodes, beat: unused, remove: unused };
  const routes = new RouteCache({ streamMap: map, nodeRegistry, maxAge: 0 });
  const client = new NodeClient(clusterKey);
  onTestFinished(() => client.close());
  context = {
    streamMap: map,
    peers: new Peers(routes, client, timing),
    nodes: client,
    regions: new RegionClient({
      regions: [{ id: THERE, api: cascade.url }],
      credentials: async () => credentials,
      timeout: timing.call,
    }),
    workers,
    background: new Background(silent),
    timing,
    log: silent,
  };
});
afterEach(async () => {
  for (const opened of open) opened.close('node-closing');
  await context.background.settled(5_000);
});

async function openNode(nodeId: string, region: string, name: string): Promise<Stream> {
  const opened = await openStream(workers, { self: selfOf(nodeId, region), name });
  open.push(opened);
  return opened;
}

/** A node of this region that has the stream, registered, with a real control server. */
async function startParent(heartbeatAt = Date.now()): Promise<{ parent: Stream; server: ControlServer }> {
  const parent = await openNode('i-parent', HERE, stream.name);
  await feedByPublisher(workers, parent);
  const { self } = parent;
  const server = await ControlServer.listen({
    address: '127.0.0.1',
    port: 0,
    certificate,
    clusterKey,
    incarnation: self.incarnation,
    routes: [
      {
        method: 'POST',
        path: '/v1/legs',
        handle: ({ body }) => parent.children.feed(legRequest.parse(body)),
      },
      { method: 'GET', path: '/v1/status', handle: () => ({ v: 1, ...self, ...status }) },
    ],
    log: silent,
  });
  onTestFinished(() => server.close());
  const { fingerprint } = certificate;
  nodes.push(nodeRecord({ ...self, heartbeatAt, fingerprint, control: `127.0.0.1:${server.port}` }));
  return { parent, server };
}
const { group, state, load } = nodeRecord();
const status = { group, state, load, open: { transports: 0, routers: 0, streams: 0 } };

const isLive = () => map.claimOrigin(originClaim({ stream: stream.name, ...origin.self }), undefined);
const secondary = async () => (await map.read(stream.name, { consistent: true })).regions[0];

function pull(options: ConstructorParameters<typeof Pull>[2] = { settled: false }): Pull {
  // Somebody is here who wants it.
  onTestFinished(stream.hold());
  const made = new Pull(stream, context, options);
  stream.once('close', () => made.close('superseded'));
  return made;
}
const attached = (from: Stream) =>
  vi.waitFor(() => expect(stream.source?.parent?.nodeId).toBe(from.self.nodeId));

it('the first of its region claims it, and crosses', async () => {
  await isLive();
  await pull().nextLeg();
  expect(stream.source).toMatchObject({
    role: 'secondary-origin',
    parent: { region: THERE, nodeId: 'i-origin' },
  });
  expect(await secondary()).toMatchObject({ nodeId: 'i-here', epoch: 1 });
});

it('the next pulls from the one that has the claim', async () => {
  await isLive();
  const { parent } = await startParent();
  await map.claimRegion(regionClaim({ stream: stream.name, ...parent.self }), undefined);
  await pull().nextLeg();
  expect(stream.source).toMatchObject({ role: 'edge', parent: { region: HERE, nodeId: 'i-parent' } });
  expect(origin.children.legs).toEqual([]);
});

it('a stream that nobody publishes is a 409, and the pull is over', async () => {
  const none = pull();
  const over = once(none, 'end');
  await expect(none.nextLeg()).rejects.toMatchObject({ status: 409, code: 'stream-not-live' });
  expect(await over).toEqual(['failed']);
});

it('by a role that it has handed over it feeds nobody; one that it had to take again goes with its last viewer', async () => {
  await isLive();
  // Somebody watches below it, to the end.
  vi.spyOn(stream.children, 'viewers', 'get').mockReturnValue(1);
  const leave = stream.hold();
  const made = new Pull(stream, context, { settled: false });
  stream.once('close', () => made.close('superseded'));
  await made.nextLeg();
  await made.handOver();
  expect(made.hasHandedOver).toBe(true);
  expect(await secondary()).toMatchObject({ epoch: 1, releasedAt: expect.any(Number) });
  // Nobody else is there: it takes the role to go on.
  origin.dismissChildren();
  await vi.waitFor(async () => expect(await secondary()).toMatchObject({ epoch: 2, nodeId: 'i-here' }));
  await attached(origin);
  await made.handOverUnneeded();
  expect(made.hasHandedOver).toBe(false);
  expect(await secondary()).not.toHaveProperty('releasedAt');
  leave();
  await made.handOverUnneeded();
  expect(made.hasHandedOver).toBe(true);
  expect(await secondary()).toMatchObject({ epoch: 2, releasedAt: expect.any(Number) });
});

it('children stay until the release of the role stands, however often the node looks meanwhile', async () => {
  await isLive();
  const made = pull();
  await made.nextLeg();
  const release = Promise.withResolvers<boolean>();
  vi.spyOn(map, 'release').mockReturnValueOnce(release.promise);
  const { generation } = stream;
  const handed = [made.handOver(), made.handOverUnneeded()];
  await turn();
  expect(stream.generation).toBe(generation);
  expect(made.hasHandedOver).toBe(false);
  release.resolve(true);
  await Promise.all(handed);
  expect(stream.generation).toBe(generation + 1);
});

it('an origin that its region does not know any more is a 409, and leaves no claim', async () => {
  await isLive();
  origin.close('node-closing');
  await expect(pull().nextLeg()).rejects.toMatchObject({ status: 409 });
  await context.background.settled(5_000);
  expect(await secondary()).toHaveProperty('releasedAt');
});

it('an origin that cannot feed or name anybody yet is asked again for as long as a call may take', async () => {
  await isLive();
  const feed = vi.spyOn(origin.children, 'feed');
  const full = 6;
  for (let count = 0; count < full; count += 1)
    feed.mockRejectedValueOnce(unavailable('no-room', 'its children have only just come'));
  await pull().nextLeg();
  expect(feed).toHaveBeenCalledTimes(full + 1);
  expect(stream.source).toMatchObject({ parent: { nodeId: 'i-origin' } });
});

it('a viewer that comes between two legs waits for the next', async () => {
  await isLive();
  const pulling = pull();
  await pulling.nextLeg();
  const waited = Promise.withResolvers<void>();
  const feed = origin.children.feed.bind(origin.children);
  vi.spyOn(origin.children, 'feed').mockImplementationOnce(async (request) => {
    await waited.promise;
    return feed(request);
  });
  await feedByPublisher(workers, origin, 2);
  await vi.waitFor(() => expect(stream.source).toBeUndefined());
  const waiting = pulling.nextLeg();
  waited.resolve();
  await waiting;
  expect(stream.source).toMatchObject({ origin: { epoch: 2 } });
});

it('while nobody publishes a viewer is told at once, and one who comes back is found', async () => {
  await isLive();
  const pulling = pull();
  await pulling.nextLeg();
  const [claim] = (await map.read(stream.name)).origins;
  if (claim === undefined) throw new Error('not live');
  await map.release(claim);
  pulling.learn({ ...claim, releasedAt: Date.now() });
  origin.pulse.send({ type: 'superseded', viewers: 0, generation: origin.generation });
  await vi.waitFor(() => expect(stream.source).toBeUndefined());
  await vi.waitFor(() => expect(pulling.nextLeg()).rejects.toMatchObject({ status: 409 }));
  await map.claimOrigin({ ...claim, epoch: 2 }, claim);
  await attached(origin);
});

it('ended while its claim is being written, it gives it up', async () => {
  await isLive();
  const pulling = pull({ settled: false });
  const write = map.claimRegion.bind(map);
  const writing = vi.spyOn(map, 'claimRegion').mockImplementationOnce((...args) => {
    pulling.close('superseded');
    return write(...args);
  });
  await vi.waitFor(async () => expect(await secondary()).toHaveProperty('releasedAt'));
  expect(writing).toHaveBeenCalledOnce();
  writing.mockRestore();
});

it('unused for long enough it ends, its claim with it; wanted again in time, it does not', async () => {
  await isLive();
  const pulling = new Pull(stream, context, { settled: false });
  await pulling.nextLeg();
  const letGo = stream.hold();
  let ended = false;
  const over = once(pulling, 'end').then(([end]) => {
    ended = true;
    return end;
  });
  await sleep(2 * timing.unusedStreamTimeout);
  expect(ended).toBe(false);
  letGo();
  expect(await over).toBe('unused');
  expect(stream.source).toBeUndefined();
  await context.background.settled(5_000);
  expect(await secondary()).toHaveProperty('releasedAt');
});

it('a secondary origin whose heartbeat is old but that answers keeps its role', async () => {
  await isLive();
  const { parent } = await startParent(Date.now() - 60_000);
  nodes.push(nodeRecord({ ...stream.self, heartbeatAt: Date.now() }));
  await map.claimRegion(regionClaim({ stream: stream.name, ...parent.self }), undefined);
  await pull().nextLeg();
  expect(stream.source).toMatchObject({ parent: { nodeId: 'i-parent' } });
  expect(await secondary()).toMatchObject({ nodeId: 'i-parent', epoch: 1 });
});

it('one that does not answer either is superseded, with the next epoch', async () => {
  await isLive();
  const { parent, server } = await startParent(Date.now() - 60_000);
  nodes.push(nodeRecord({ ...stream.self, heartbeatAt: Date.now() }));
  await map.claimRegion(regionClaim({ stream: stream.name, ...parent.self }), undefined);
  await server.close();
  await pull().nextLeg();
  expect(await secondary()).toMatchObject({ nodeId: 'i-here', epoch: 2 });
});

it('a closed pull leaves no source for who joins in the next moment', async () => {
  await isLive();
  const pulling = pull();
  await pulling.nextLeg();
  pulling.close('stream-ended');
  expect(stream.source).toBeUndefined();
});

it('whoever waits when a publisher connects here is not turned away', async () => {
  await isLive();
  const pulling = pull();
  const waiting = pulling.nextLeg();
  pulling.close('replaced');
  await waiting;
});

it('the claim of an origin of its region that does not answer is released, and the next publisher found', async () => {
  const { parent, server } = await startParent();
  nodes.push(nodeRecord({ ...stream.self, heartbeatAt: Date.now() }));
  const dead = originClaim({ stream: stream.name, ...parent.self, priority: 5 });
  await map.claimOrigin(dead, undefined);
  await isLive();
  await server.close();
  parent.close('node-closing');
  await pull().nextLeg();
  expect(stream.source).toMatchObject({ parent: { region: THERE, nodeId: 'i-origin' } });
  await context.background.settled(5_000);
  const claims = (await map.read(stream.name, { consistent: true })).origins;
  expect(claims.filter(isHeld)).toMatchObject([{ nodeId: 'i-origin' }]);
});

it('an origin of its region whose heartbeat is old but that answers keeps its claim, and is pulled from', async () => {
  const { parent } = await startParent(Date.now() - 60_000);
  nodes.push(nodeRecord({ ...stream.self, heartbeatAt: Date.now() }));
  await map.claimOrigin(originClaim({ stream: stream.name, ...parent.self }), undefined);
  await pull().nextLeg();
  expect(stream.source).toMatchObject({ parent: { nodeId: 'i-parent' } });
  expect((await map.read(stream.name, { consistent: true })).origins.filter(isHeld)).toHaveLength(1);
});

/** Another node of the origin's region publishes the stream, too. */
const rivalClaim = () =>
  originClaim({ stream: stream.name, ...selfOf('i-rival', THERE), epoch: 2, priority: 5 });

it('told of an origin that goes first it leaves the old one at once, whatever the map shows yet', async () => {
  await isLive();
  const pulling = pull();
  await pulling.nextLeg();
  const old = stream.source;
  pulling.learn(rivalClaim());
  await vi.waitFor(() => expect(stream.source).not.toBe(old));
});

it('told of an origin that does not go first it stays with its own', async () => {
  await isLive();
  const pulling = pull();
  await pulling.nextLeg();
  const old = stream.source;
  const rival = { ...rivalClaim(), yields: true };
  await map.claimOrigin(rival, undefined);
  const reads = vi.spyOn(map, 'read');
  onTestFinished(() => reads.mockRestore());
  pulling.learn(rival);
  await vi.waitFor(() => expect(reads).toHaveResolved());
  await sleep(20);
  expect(stream.source).toBe(old);
});

it('a map that fails when it was told of something does not make it forget', async () => {
  await isLive();
  const pulling = pull();
  await pulling.nextLeg();
  const old = stream.source;
  const rival = rivalClaim();
  await map.claimOrigin(rival, undefined);
  const reads = vi.spyOn(map, 'read').mockRejectedValueOnce(new Error('throttled'));
  onTestFinished(() => reads.mockRestore());
  pulling.learn(rival);
  await vi.waitFor(() => expect(stream.source).not.toBe(old));
});

it('told of another origin while it asks one that is cut off, it waits for that no longer', async () => {
  await isLive();
  const [elsewhere, name] = ['ap-southeast-1', stream.name];
  const next = await openNode('i-next', elsewhere, name);
  await feedByPublisher(workers, next, 2);
  const old = origin;
  const asked = Promise.withResolvers<LegRequest>();
  const answer = Promise.withResolvers<LegAnswer>();
  const cutOff = await startServer(async (request, response) => {
    const { leg } = z.object({ leg: legRequest }).parse(JSON.parse((await request.toArray()).join('')));
    asked.resolve(leg);
    response.end(JSON.stringify(await answer.promise));
  });
  onTestFinished(() => cutOff.close());
  context.regions = new RegionClient({
    regions: [
      { id: THERE, api: cutOff.url },
      { id: elsewhere, api: cascade.url },
    ],
    credentials: async () => credentials,
    timeout: 60_000,
  });
  origin = next;
  const pulling = pull({ settled: true });
  const request = await asked.promise;
  pulling.learn(originClaim({ stream: name, ...next.self, epoch: 2, priority: 5 }));
  await attached(next);
  // And when it answers after all, its leg is closed, and not the one that took its place.
  const accepted = await old.children.feed(request);
  const { transports } = workers.open;
  answer.resolve(accepted);
  await vi.waitFor(() => expect(workers.open.transports).toBe(transports - 1));
  await sleep(2 * timing.legPulse);
  expect(next.children.legs).toHaveLength(1);
});

it('a region’s API that throttles is asked again', async () => {
  await isLive();
  vi.spyOn(origin.children, 'feed').mockRejectedValueOnce(new Problem(429, 'too-many-requests', 'throttled'));
  await pull().nextLeg();
  expect(stream.source).toMatchObject({ parent: { nodeId: 'i-origin' } });
});

it('who leaves says so: its parent does not wait for its silence', async () => {
  await isLive();
  const pulling = pull();
  await pulling.nextLeg();
  expect(origin.children.legs).toHaveLength(1);
  // But not where another leg follows: its viewers go on counting.
  const said = vi.spyOn(stream.pulse, 'send');
  const { source } = stream;
  await feedByPublisher(workers, origin, 2);
  await vi.waitFor(() => expect(stream.source?.origin).toMatchObject({ epoch: 2 }));
  expect(source).not.toBe(stream.source);
  expect(said.mock.calls.filter(([{ type }]) => type === 'bye')).toEqual([]);
  pulling.close('unused');
  // Sooner than a node's silence would tell.
  await vi.waitFor(() => expect(origin.children.legs).toEqual([]), { timeout: timing.nodeDeadAfter / 2 });
});

it('a worker that hangs does not keep the stream from its next leg', async () => {
  const two = await startWorkers({ count: 2, publicAddress: '127.0.0.1' });
  onTestFinished(() => two.close());
  const { name, self } = stream;
  stream.close('node-closing');
  stream = await openStream(two, { self, name });
  open.push(stream);
  context = { ...context, workers: two };
  await isLive();
  await pull().nextLeg();
  // The worker without sessions is the next to be picked.
  await two.createSessionTransport(stream.worker, stream.hub);
  const other = two.pick();
  expect(other).not.toBe(stream.worker);
  vi.spyOn(two, 'pickForViewer').mockReturnValue(other);
  await stream.addViewer(readOffer(plainOffer([/sendonly/g, 'recvonly'])));
  process.kill(other.worker.pid, 'SIGSTOP');
  for (const epoch of [2, 3]) {
    await feedByPublisher(workers, origin, epoch);
    // Sooner than the worker is found to hang.
    await vi.waitFor(() => expect(stream.source).toMatchObject({ origin: { epoch } }), { timeout: 4_000 });
  }
});

it('a parent that answers but is never heard is asked again, with growing pauses, and probed', async () => {
  const quick = timingFrom({
    MERIDIAN_LEG_PULSE_MS: '20',
    MERIDIAN_LEG_SILENCE_MS: '60',
    MERIDIAN_CALL_MS: '2000',
    MERIDIAN_UNUSED_STREAM_TIMEOUT_MS: '300',
  });
  context = { ...context, timing: quick };
  const { parent } = await startParent();
  await map.claimOrigin(originClaim({ stream: stream.name, ...parent.self }), undefined);
  // Its pulse goes nowhere: no beat, no bytes.
  vi.spyOn(parent.pulse, 'send').mockReturnValue();
  const probes = vi.spyOn(context.peers, 'probe');
  const asked: number[] = [];
  const feed = parent.children.feed.bind(parent.children);
  vi.spyOn(parent.children, 'feed').mockImplementation((request) => {
    asked.push(performance.now());
    return feed(request);
  });
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
  onTestFinished(() => random.mockRestore());
  pull();
  await vi.waitFor(() => expect(asked.length).toBeGreaterThanOrEqual(5), { timeout: 5_000, interval: 10 });
  const pauses = asked.slice(1).map((at, n) => at - (asked[n] ?? 0));
  // 60 to 90 ms of silence each, then 40, 80, 160, 320 ms.
  expect(pauses[2]).toBeGreaterThan(220);
  expect(pauses[3]).toBeGreaterThan(380);
  expect(probes.mock.calls.length).toBeGreaterThanOrEqual(4);
});
