// The streams of a node: a claim of what it has not got goes, publishers feed their stream or stand by.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { type Database, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { Background } from '#media-fleet/background.ts';
import { Leg } from '#media-fleet/leg.ts';
import { Peers } from '#media-fleet/peers.ts';
import type { Session } from '#media-fleet/session.ts';
import type { Stream } from '#media-fleet/stream.ts';
import { Streams } from '#media-fleet/streams.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { isHeld, type OriginClaim } from '#routing/claims.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { NodeClient } from '#routing/node-client.ts';
import type { LegRequest, WhipRequest } from '#routing/node-messages.ts';
import { RegionClient } from '#routing/region-client.ts';
import { RouteCache } from '#routing/route-cache.ts';
import { originClaim, regionClaim } from '#test/unit/routing/samples.ts';
import { feedByPublisher, openStream, selfOf, startCascade, timing } from './legs.ts';
import { silent, startWorkers } from './media.ts';
import { plainOffer } from './sdp/offers.ts';

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
const self = selfOf('i-here');
let workers: Workers;
let database: Database;
let map: DynamoStreamMap;
let background: Background;
let options: ConstructorParameters<typeof Streams>[0];
let streams: Streams;

const unused = () => Promise.reject(new Error('not used here'));
beforeAll(async () => {
  [workers, database] = await Promise.all([startWorkers(), startDatabase({ regions: [], credentials })]);
  map = new DynamoStreamMap(database.documents, STREAMS_TABLE);
  background = new Background(silent);
  const nodeRegistry = { list: async () => [], beat: unused, remove: unused };
  const nodes = new NodeClient(new Uint8Array(32));
  options = {
    self,
    maxChildren: 32,
    failback: true,
    streamMap: map,
    peers: new Peers(new RouteCache({ streamMap: map, nodeRegistry, maxAge: 0 }), nodes, timing),
    nodes,
    regions: new RegionClient({ regions: [], credentials: async () => credentials, timeout: 100 }),
    workers,
    background,
    timing,
    log: silent,
  };
  streams = new Streams(options);
});
afterAll(async () => {
  streams.close();
  await workers.close();
  await background.settled(5_000);
  await database.close();
});

const request = (stream: string): LegRequest => ({
  v: 1,
  requestId: randomUUID(),
  stream,
  region: self.region,
  nodeId: 'i-child',
  incarnation: 'child-start-1',
  epoch: 1,
  ip: '127.0.0.1',
  port: 20_000,
  srtpParameters: { cryptoSuite: 'AEAD_AES_128_GCM', keyBase64: Buffer.alloc(28).toString('base64') },
  pulse: { codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000 }] },
});

it('its own claims of the stream are released, and nobody else’s', async () => {
  const stream = randomUUID();
  await map.claimOrigin(originClaim({ stream, ...self }), undefined);
  await map.claimRegion(regionClaim({ stream, ...self }), undefined);
  await map.claimOrigin(originClaim({ stream, ...selfOf('i-other'), priority: 1 }), undefined);
  await expect(streams.feed(request(stream))).rejects.toMatchObject({ status: 410 });
  await background.settled(5_000);
  const { origins, regions } = await map.read(stream, { consistent: true });
  const live = [...origins, ...regions].filter(({ releasedAt }) => releasedAt === undefined);
  expect(live.map(({ nodeId }) => nodeId)).toEqual(['i-other']);
});

/** A publisher whose DTLS is said to be connected: no packet of it ever comes. */
async function connected(stream: string, priority: number, ssrc = 1): Promise<Session> {
  const offer = plainOffer([/1001/g, `${ssrc}001`], [/2001/g, `${ssrc}002`], [/2002/g, `${ssrc}003`]);
  const request: WhipRequest = {
    v: 1,
    stream,
    offer,
    tokenId: 'token-1',
    viewing: 'open',
    priority,
    takeover: 'same-token',
  };
  const { session } = await streams.publish(request);
  session.emit('connected');
  return session;
}
const held = async (stream: string) => (await map.read(stream, { consistent: true })).origins.filter(isHeld);
const claimOf = (stream: string, priority: number) =>
  vi.waitFor(async () => {
    const claim = (await held(stream)).find((candidate) => candidate.priority === priority);
    if (claim === undefined) throw new Error(`nobody holds priority ${priority}`);
    return claim;
  });
/** Who feeds the stream here, by its role. */
const source = async (stream: string) =>
  (await streams.reports(stream)).map(({ role, hops }) => `${role} ${hops}`);
const fedByPublisher = (stream: string) =>
  vi.waitFor(async () => expect(await source(stream)).toEqual(['origin 0']));

async function childOf(stream: string, parent = streams): Promise<{ leg: Leg; child: Stream }> {
  const child = await openStream(workers, { self: selfOf('i-child'), name: stream });
  const asking = { stream: child, workers, timing, crossing: false, epoch: 1 };
  const outcome = await Leg.open({ ...asking, ask: (asked) => parent.feed(asked) });
  if ('refused' in outcome) throw new Error(`refused: ${outcome.refused.result}`);
  await child.attach(outcome.leg);
  onTestFinished(() => child.close('node-closing'));
  return { leg: outcome.leg, child };
}
/** Another region's publisher, of which this node is told. */
async function rivalClaim(stream: string): Promise<OriginClaim> {
  const claim = originClaim({ stream, ...selfOf('i-rival', 'us-east-1'), epoch: 2, priority: 9 });
  await map.claimOrigin(claim, undefined);
  return claim;
}

it('a publisher that another goes before feeds the stream no more, and its children are told to go', async () => {
  const stream = randomUUID();
  const session = await connected(stream, 3);
  await fedByPublisher(stream);
  const { leg } = await childOf(stream);
  const claim = await rivalClaim(stream);
  streams.notice({ v: 1, stream, claim });
  expect(await leg.over()).toBe('superseded');
  expect(await source(stream)).toEqual([]);
  expect(session.ended).toBe(false);
});

it('it feeds it again when that one has left', async () => {
  const stream = randomUUID();
  const session = await connected(stream, 3);
  await fedByPublisher(stream);
  const claim = await rivalClaim(stream);
  streams.notice({ v: 1, stream, claim });
  await vi.waitFor(async () => expect(await source(stream)).toEqual([]));
  await map.release(claim);
  streams.notice({ v: 1, stream, claim: { ...claim, releasedAt: Date.now() } });
  await fedByPublisher(stream);
  const { leg } = await childOf(stream);
  expect(leg.origin).toMatchObject({ nodeId: 'i-here', epoch: 1 });
  session.close('deleted');
});

it('of two publishers here the lower stands by, and feeds the stream when the higher has left', async () => {
  const stream = randomUUID();
  const [main, backup] = [await connected(stream, 5, 1), await connected(stream, 1, 2)];
  await Promise.all([claimOf(stream, 5), claimOf(stream, 1)]);
  await fedByPublisher(stream);
  main.close('deleted');
  const { epoch } = await claimOf(stream, 1);
  await vi.waitFor(async () => expect((await held(stream)).map(({ priority }) => priority)).toEqual([1]));
  streams.notice({ v: 1, stream, claim: await claimOf(stream, 1) });
  await fedByPublisher(stream);
  expect((await childOf(stream)).leg.origin).toMatchObject({ epoch });
  expect(backup.ended).toBe(false);
});

it('a lower one that carried the stream stands by when a higher one takes it: its session goes on', async () => {
  const stream = randomUUID();
  const backup = await connected(stream, 1, 1);
  await fedByPublisher(stream);
  const main = await connected(stream, 5, 2);
  // Neither sends, so both yield, and the higher goes first.
  await vi.waitFor(async () => expect((await childOf(stream)).leg.origin).toMatchObject({ epoch: 2 }), {
    timeout: 5_000,
  });
  expect([main.ended, backup.ended]).toEqual([false, false]);
  expect(await held(stream)).toHaveLength(2);
});

it('the same encoder come back ends its older session', async () => {
  const stream = randomUUID();
  const older = await connected(stream, 3, 1);
  await fedByPublisher(stream);
  const ended = once(older, 'end');
  await connected(stream, 3, 2);
  expect(await ended).toEqual(['superseded']);
  await fedByPublisher(stream);
  // The encoder that lost it can ask why at its session's URL, and need not fight for it.
  expect(() => streams.session(older.id)).toThrow(expect.objectContaining({ code: 'session-superseded' }));
  streams.endSession(older.id);
  expect(() => streams.session(older.id)).toThrow(expect.objectContaining({ code: 'unknown-session' }));
});

it('a publisher’s priority is changed by its claim, and its stream goes on from here', async () => {
  const stream = randomUUID();
  await connected(stream, 3);
  await fedByPublisher(stream);
  const claim = await claimOf(stream, 3);
  await turn();
  await streams.setPriority(claim, 7);
  await background.settled(5_000);
  expect((await held(stream)).map(({ priority }) => priority)).toEqual([7]);
  await fedByPublisher(stream);
  expect((await childOf(stream)).leg.origin).toMatchObject({ epoch: 2 });
});

it.each<[string, Partial<OriginClaim>]>([
  ['another epoch', { epoch: 2 }],
  ['another priority', { priority: 4 }],
  ['another stream', { stream: 'another' }],
])('a claim of %s is of no publisher here: 404', async (_, changes) => {
  const stream = randomUUID();
  await connected(stream, 3);
  const claim = await claimOf(stream, 3);
  await turn();
  await expect(streams.setPriority({ ...claim, ...changes }, 7)).rejects.toMatchObject({
    status: 404,
    code: 'unknown-origin',
  });
  expect(await held(stream)).toEqual([claim]);
});

it('a publisher that has left has no priority to change: 404', async () => {
  const stream = randomUUID();
  const session = await connected(stream, 3);
  await fedByPublisher(stream);
  const claim = await claimOf(stream, 3);
  session.close('deleted');
  await expect(streams.setPriority(claim, 7)).rejects.toMatchObject({ status: 404 });
});

it('a priority that another publisher of this node has is a 409', async () => {
  const stream = randomUUID();
  await connected(stream, 5, 1);
  await connected(stream, 1, 2);
  const [claim] = await Promise.all([claimOf(stream, 5), claimOf(stream, 1)]);
  await fedByPublisher(stream);
  await turn();
  await expect(streams.setPriority(claim, 1)).rejects.toMatchObject({
    status: 409,
    code: 'priority-conflict',
  });
});

it('a secondary origin that has handed over feeds nobody whom its old claim led here', async () => {
  const there = 'us-east-1';
  const origin = await openStream(workers, { self: selfOf('i-origin', there), name: randomUUID() });
  await feedByPublisher(workers, origin);
  const stream = origin.name;
  await map.claimOrigin(originClaim({ stream, ...origin.self }), undefined);
  const cascade = await startCascade(() => origin);
  const regions = [{ id: there, api: cascade.url }];
  const here = new Streams({
    ...options,
    regions: new RegionClient({ regions, credentials: async () => credentials, timeout: 2_000 }),
  });
  onTestFinished(async () => {
    here.close();
    origin.close('node-closing');
    await cascade.close();
  });
  const offer = plainOffer([/a=sendonly/g, 'a=recvonly']);
  await here.watch({ v: 1, stream, offer, claims: await map.read(stream), counterOffer: false });
  const { leg } = await childOf(stream, here);
  here.handOver();
  expect(await leg.over()).toBe('superseded');
  expect((await map.read(stream, { consistent: true })).regions.filter(isHeld)).toEqual([]);
  await expect(childOf(stream, here)).rejects.toMatchObject({ status: 503, code: 'handed-over' });
  // Who watches here does so until another has the role.
  expect((await here.reports(stream)).map(({ role }) => role)).toEqual(['secondary-origin']);
});
