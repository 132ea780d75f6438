// What a region's dead nodes left claimed: released by the living, who leave all other claims alone.

import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { type Database, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { Background } from '#media-fleet/background.ts';
import { makeCertificate } from '#media-fleet/certificate.ts';
import { ControlServer } from '#media-fleet/control-server.ts';
import { Peers } from '#media-fleet/peers.ts';
import { Sweep } from '#media-fleet/sweep.ts';
import { isHeld, type OriginClaim, type RegionClaim } from '#routing/claims.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { NodeClient } from '#routing/node-client.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import type { NodeRegistry } from '#routing/node-registry.ts';
import { RegionClient } from '#routing/region-client.ts';
import { RouteCache } from '#routing/route-cache.ts';
import type { HeldClaims } from '#routing/stream-map.ts';
import { timingFrom } from '#routing/timing.ts';
import { startClocks, stopClocks } from '#test/unit/routing/clock.ts';
import { nodeRecord, originClaim, regionClaim } from '#test/unit/routing/samples.ts';
import { silent } from './media.ts';

const clusterKey = new Uint8Array(32).fill(1);
const client = new NodeClient(clusterKey);
const timing = timingFrom({ MERIDIAN_CLAIM_SWEEP_MS: '100', MERIDIAN_PROBE_MS: '5000' });
const self = { region: 'eu-west-1', nodeId: 'i-self', incarnation: 'self-start-1' };
const unused = () => Promise.reject(new Error('not used here'));
const list = vi.fn<NodeRegistry['list']>();

let server: ControlServer;
/** A node that answers its control port. */
let answering: NodeRecord;
let database: Database;
let streamMap: DynamoStreamMap;
let background: Background;
let sweep: Sweep;

beforeAll(async () => {
  const certificate = await makeCertificate('i-answering');
  const answerer = { nodeId: 'i-answering', incarnation: 'answering-start-1' };
  server = await ControlServer.listen({
    address: '127.0.0.1',
    port: 0,
    certificate,
    clusterKey,
    incarnation: answerer.incarnation,
    routes: [
      {
        method: 'GET',
        path: '/v1/status',
        handle: () => ({ v: 1, ...answering, open: { transports: 0, routers: 0, streams: 0 } }),
      },
    ],
    log: silent,
  });
  const { fingerprint } = certificate;
  answering = nodeRecord({ ...answerer, control: `127.0.0.1:${server.port}`, fingerprint });
});
afterAll(() => {
  client.close();
  return server.close();
});
beforeEach(async () => {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  database = await startDatabase({ regions: [], credentials });
  streamMap = new DynamoStreamMap(database.documents, STREAMS_TABLE);
  background = new Background(silent);
  list.mockReset();
});
afterEach(async () => {
  startClocks();
  await sweep.close();
  await background.settled(5_000);
  await database.close();
});

/** Its heartbeat is fresh however long the test takes. */
const living = (changes: Partial<NodeRecord> = {}) =>
  nodeRecord({ ...self, heartbeatAt: Date.now() + 60_000, control: '127.0.0.1:9', ...changes });
const dead = (changes: Partial<NodeRecord> = {}) => living({ ...changes, heartbeatAt: 1 });
const registered = (...nodes: NodeRecord[]) => list.mockImplementation(async () => nodes);

const GONE = { nodeId: 'i-gone', incarnation: 'gone-start-1' };

async function claimed(changes: Partial<OriginClaim>): Promise<OriginClaim> {
  const claim = originClaim({ region: self.region, ...changes });
  expect(await streamMap.claimOrigin(claim, undefined)).toBe(true);
  return claim;
}

function begin(): void {
  const nodeRegistry: NodeRegistry = { beat: unused, remove: unused, list };
  const peers = new Peers(new RouteCache({ streamMap, nodeRegistry, maxAge: 0 }), client, timing);
  const regions = new RegionClient({
    regions: [],
    credentials: async () => ({ accessKeyId: 'test', secretAccessKey: 'test' }),
    timeout: 100,
  });
  sweep = new Sweep({ self, streamMap, peers, regions, background, timing, log: silent });
}

/** So many looks, begun after this, are over with all that followed from them: a look begins when the one before is over. */
async function looks(count: number): Promise<void> {
  const target = list.mock.calls.length + count + 1;
  await vi.waitFor(() => expect(list.mock.calls.length).toBeGreaterThanOrEqual(target), { timeout: 10_000 });
  await background.settled(5_000);
}

const live = async () => (await streamMap.held({ limit: 1_000 })).origins.map(({ stream }) => stream);

it.each([
  ['whose heartbeat is old and which does not answer', [dead(GONE)]],
  ['that is not in the registry', []],
  ['that has started anew since', [living({ ...GONE, incarnation: 'gone-start-2' })]],
])('the claim of a node %s is released', async (_, nodes) => {
  registered(living(), ...nodes);
  await claimed(GONE);
  begin();
  await looks(1);
  expect(await live()).toEqual([]);
});

it('every dead node’s every claim is released, and none that somebody holds or that is not the region’s', async () => {
  const other = { nodeId: 'i-other', incarnation: 'other-start-1' };
  registered(living(other), { ...answering, heartbeatAt: 1 }, dead(GONE));
  await claimed({ ...other, stream: 'of-the-living' });
  // The registry has not heard of this very node.
  await claimed({ ...self, stream: 'of-itself' });
  await claimed({ ...GONE, stream: 'elsewhere', region: 'us-east-1' });
  const { nodeId, incarnation } = answering;
  await claimed({ nodeId, incarnation, stream: 'of-one-that-answers' });
  for (const priority of [0, 1]) await claimed({ ...GONE, stream: 'of-the-dead', priority });
  for (let n = 0; n < 120; n += 1) await claimed({ ...GONE, stream: `of-the-dead-${n}` });
  begin();
  await looks(1);
  expect((await live()).toSorted()).toEqual([
    'elsewhere',
    'of-itself',
    'of-one-that-answers',
    'of-the-living',
  ]);
});

async function claimedRegion(changes: Partial<RegionClaim>): Promise<RegionClaim> {
  const claim = regionClaim({ region: self.region, ...changes });
  expect(await streamMap.claimRegion(claim, undefined)).toBe(true);
  return claim;
}
const secondaries = async () => (await streamMap.held({ limit: 1_000 })).regions.map(({ stream }) => stream);

it('a dead secondary origin’s claims are released, and none that somebody holds or that is not the region’s', async () => {
  const { nodeId, incarnation } = answering;
  registered(living(), { ...answering, heartbeatAt: 1 }, dead(GONE));
  await claimedRegion({ ...GONE, stream: 'of-the-dead' });
  await claimedRegion({ ...GONE, stream: 'of-an-older-start', incarnation: 'gone-start-0' });
  await claimedRegion({ ...GONE, stream: 'elsewhere', region: 'us-east-1' });
  await claimedRegion({ ...self, stream: 'of-itself' });
  await claimedRegion({ nodeId, incarnation, stream: 'of-one-that-answers' });
  begin();
  await looks(1);
  expect((await secondaries()).toSorted()).toEqual(['elsewhere', 'of-itself', 'of-one-that-answers']);
});

it('a region’s claim that came to another meanwhile is left to it', async () => {
  registered(living(), dead(GONE));
  const old = await claimedRegion(GONE);
  const next = { ...old, ...self, epoch: 2 };
  const held = streamMap.held.bind(streamMap);
  vi.spyOn(streamMap, 'held').mockImplementationOnce(async (page) => {
    const claims = await held(page);
    await streamMap.claimRegion(next, old);
    return claims;
  });
  begin();
  await looks(1);
  expect((await streamMap.read('concert', { consistent: true })).regions).toEqual([next]);
});

/** A sweep that looks by itself at nothing. */
function beginQuietly(): void {
  stopClocks(Date.now());
  begin();
  startClocks();
}

it.each<[string, () => NodeRecord[]]>([
  ['does not answer though its heartbeat is fresh', () => [living(), living(GONE)]],
  ['does not answer, and has not beaten either', () => [living(), dead(GONE)]],
  ['is not in the registry', () => [living()]],
  ['has started anew since', () => [living(), { ...answering, ...GONE, incarnation: 'gone-start-2' }]],
])(
  'asked to look at a holder that %s, it releases the claim where another waits for its place, and only there',
  async (_, nodes) => {
    registered(...nodes());
    const claim = await claimed({ ...GONE, stream: 'doubted' });
    beginQuietly();
    expect(await sweep.look(claim), 'nobody waits').toBe(false);
    expect(await live()).toEqual(['doubted']);
    await claimed({ stream: 'doubted', region: 'us-east-1', nodeId: 'i-standby', epoch: 2 });
    expect(await sweep.look(claim)).toBe(true);
    const { origins } = await streamMap.read('doubted');
    expect(origins.filter(isHeld).map(({ nodeId }) => nodeId)).toEqual(['i-standby']);
  },
);

it('asked to look at a holder that answers, it leaves the claim, however old its heartbeat', async () => {
  registered(living(), { ...answering, heartbeatAt: 1 });
  const { nodeId, incarnation } = answering;
  const claim = await claimed({ nodeId, incarnation });
  beginQuietly();
  expect(await sweep.look(claim)).toBe(false);
  expect(await live()).toEqual(['concert']);
});

it.each<[string, Partial<OriginClaim>]>([
  ['its own', self],
  ['another region’s', { ...GONE, region: 'us-east-1' }],
])('%s claim is not looked at', async (_, changes) => {
  registered();
  const claim = await claimed(changes);
  beginQuietly();
  expect(await sweep.look(claim)).toBe(false);
  expect(await live()).toEqual(['concert']);
  expect(list).not.toHaveBeenCalled();
});

it('a doubted claim that is another’s by now is left alone', async () => {
  registered(living(), dead(GONE));
  const old = await claimed(GONE);
  const next = { ...old, ...self, epoch: 2 };
  await streamMap.claimOrigin(next, old);
  beginQuietly();
  expect(await sweep.look(old)).toBe(true);
  expect((await streamMap.read('concert', { consistent: true })).origins).toEqual([next]);
});

it('nobody is dead for a look while the registry has never answered', async () => {
  list.mockRejectedValue(new Error('throttled'));
  const claim = await claimed(GONE);
  beginQuietly();
  await expect(sweep.look(claim)).rejects.toMatchObject({ status: 503 });
  expect(await live()).toEqual(['concert']);
});

it('one that answered is looked at again, and released when it answers no more', async () => {
  const { nodeId, incarnation } = answering;
  const record = { ...answering, heartbeatAt: 1 };
  registered(living(), record);
  await claimed({ nodeId, incarnation });
  begin();
  await looks(2);
  expect(await live()).toEqual(['concert']);
  // Its heartbeats stay as old as they are: only the probe can tell.
  registered(living(), { ...record, control: '127.0.0.1:9' });
  await looks(2);
  expect(await live()).toEqual([]);
});

it('a sweep that failed is made again', async () => {
  registered(living());
  await claimed(GONE);
  const read = vi.spyOn(streamMap, 'held').mockRejectedValueOnce(new Error('throttled'));
  begin();
  await looks(2);
  expect(read).toHaveBeenCalledTimes(2);
  expect(await live()).toEqual([]);
});

it('nothing is read while the living nodes stay the same, and again when one has started anew', async () => {
  const neighbour = living(GONE);
  registered(living(), neighbour);
  await claimed(GONE);
  const read = vi.spyOn(streamMap, 'held');
  begin();
  await looks(3);
  registered(neighbour, living({ load: { ...neighbour.load, viewers: 7 } }));
  await looks(2);
  expect(read).toHaveBeenCalledTimes(1);
  registered(living(), { ...neighbour, incarnation: 'gone-start-2' });
  await looks(2);
  expect(read).toHaveBeenCalledTimes(2);
  expect(await live()).toEqual([]);
});

it('nobody is taken for dead while the registry has never answered', async () => {
  list.mockRejectedValue(new Error('throttled'));
  await claimed(GONE);
  begin();
  await looks(2);
  expect(await live()).toEqual(['concert']);
});

it('close ends it before a look', async () => {
  stopClocks(Date.now());
  begin();
  sweep.close();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(list).not.toHaveBeenCalled();
});

it('close ends it in the middle of a sweep', async () => {
  registered(living());
  const page = Promise.withResolvers<HeldClaims>();
  const read = vi.spyOn(streamMap, 'held').mockReturnValueOnce(page.promise);
  begin();
  await vi.waitFor(() => expect(read).toHaveBeenCalled());
  stopClocks(Date.now());
  sweep.close();
  page.resolve({ origins: [], regions: [], next: 'more' });
  await turn();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(read).toHaveBeenCalledTimes(1);
  expect(list).toHaveBeenCalledTimes(1);
});
