// A publisher's hold on its stream, on a real stream map: who is active, who waits, who must step down.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { type Database, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { Background } from '#media-fleet/background.ts';
import { OriginRole, type OriginRoleOptions } from '#media-fleet/origin-role.ts';
import { Peers } from '#media-fleet/peers.ts';
import { isHeld, type OriginClaim, type StreamClaims } from '#routing/claims.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { NodeClient } from '#routing/node-client.ts';
import { cascadeRequest, type Notice } from '#routing/node-messages.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import type { Flow } from '#routing/origin-standing.ts';
import { RegionClient } from '#routing/region-client.ts';
import { RouteCache } from '#routing/route-cache.ts';
import type { StreamMap } from '#routing/stream-map.ts';
import { timingFrom } from '#routing/timing.ts';
import { startServer } from '#test/unit/routing/http-server.ts';
import { nodeRecord, originClaim, regionClaim } from '#test/unit/routing/samples.ts';
import { selfOf } from './legs.ts';
import { silent } from './media.ts';

const timing = timingFrom({ MERIDIAN_CLAIM_CHECK_MS: '100' });
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
let database: Database;
let map: DynamoStreamMap;
let stream: string;
let nodes: NodeRecord[];
let background: Background;
let roles: OriginRole[];

beforeAll(async () => {
  database = await startDatabase({ regions: [], credentials });
  map = new DynamoStreamMap(database.documents, STREAMS_TABLE);
});
afterAll(() => database.close());
beforeEach(() => {
  stream = randomUUID();
  nodes = [];
  roles = [];
  background = new Background(silent);
});
afterEach(async () => {
  for (const role of roles) role.close();
  await background.settled(5_000);
});

const unused = () => Promise.reject(new Error('a role does not register'));

function newRole(nodeId: string, changes: Partial<OriginRoleOptions> = {}): OriginRole {
  const streamMap = changes.streamMap ?? map;
  const nodeRegistry = { list: async () => nodes, beat: unused, remove: unused };
  const routes = new RouteCache({ streamMap, nodeRegistry, maxAge: 0 });
  const client = new NodeClient(new Uint8Array(32));
  const role = new OriginRole({
    stream,
    self: selfOf(nodeId),
    priority: 0,
    tokenId: 'token-1',
    takeover: 'same-token',
    viewing: 'open',
    flow: { measure: async () => ({ silentFor: 0, steadyFor: 60_000 }) },
    failback: true,
    silence: timing.publisherSilence,
    streamMap,
    peers: new Peers(routes, client, timing),
    regions: new RegionClient({ regions: [], credentials: async () => credentials, timeout: 100 }),
    background,
    timing,
    log: silent,
    ...changes,
  });
  roles.push(role);
  return role;
}

type Event = 'active' | 'standby' | 'lost';
/** The next event of a kind; more than a second of nothing is a failure. */
const next = (role: OriginRole, event: Event) => once(role, event, { signal: AbortSignal.timeout(5_000) });

async function active(role: OriginRole): Promise<OriginClaim> {
  const became = next(role, 'active');
  role.take();
  const [claim] = await became;
  // Until it has written its claim it takes neither notices nor changes.
  await turn();
  return claim;
}
const origins = async () => (await map.read(stream, { consistent: true })).origins;

it('claims its stream and is active; closed, it releases the claim', async () => {
  const role = newRole('i-1');
  expect(await active(role)).toMatchObject({ epoch: 1, nodeId: 'i-1', priority: 0, tokenId: 'token-1' });
  expect((await origins()).map(({ releasedAt }) => releasedAt)).toEqual([undefined]);
  role.close();
  await background.settled(5_000);
  expect((await origins()).map(({ releasedAt }) => typeof releasedAt)).toEqual(['number']);
});

it('the same token takes over with the next epoch, and the older publisher steps down', async () => {
  const older = newRole('i-1');
  await active(older);
  const lost = next(older, 'lost');
  expect(await active(newRole('i-2'))).toMatchObject({ epoch: 2, nodeId: 'i-2' });
  await lost;
});

it('one in another region of the same priority and a newer epoch makes it step down', async () => {
  const older = newRole('i-1');
  await active(older);
  const lost = next(older, 'lost');
  await active(newRole('i-2', { self: selfOf('i-2', 'us-east-1') }));
  await lost;
});

it('a higher priority makes it a standby, which is active again when that one leaves', async () => {
  const backup = newRole('i-1');
  await active(backup);
  const waiting = next(backup, 'standby');
  const main = newRole('i-2', { priority: 5 });
  expect(await active(main)).toMatchObject({ epoch: 2, priority: 5 });
  await waiting;
  const again = next(backup, 'active');
  main.close();
  expect((await again)[0]).toMatchObject({ nodeId: 'i-1', epoch: 1 });
});

it('a lower priority that comes later waits at once', async () => {
  await active(newRole('i-1', { priority: 5 }));
  const backup = newRole('i-2');
  const seen: Event[] = [];
  for (const event of ['active', 'standby', 'lost'] as const) backup.on(event, () => seen.push(event));
  backup.take();
  await vi.waitFor(async () => expect(await origins()).toHaveLength(2));
  backup.check();
  await vi.waitFor(async () => expect(await origins()).toHaveLength(2));
  expect(seen).toEqual([]);
});

it('another token’s living publisher keeps the stream, though both came at once', async () => {
  nodes = [nodeRecord({ ...selfOf('i-1'), heartbeatAt: Date.now() })];
  await active(newRole('i-1'));
  const rival = newRole('i-2', { tokenId: 'token-2' });
  const lost = next(rival, 'lost');
  rival.take();
  await lost;
  expect(await origins()).toMatchObject([{ nodeId: 'i-1', epoch: 1 }]);
});

it('a token that always takes over supersedes another token’s publisher', async () => {
  nodes = [nodeRecord({ ...selfOf('i-1'), heartbeatAt: Date.now() })];
  const first = newRole('i-1');
  await active(first);
  const lost = next(first, 'lost');
  const newcomer = newRole('i-2', { tokenId: 'token-2', takeover: 'always' });
  expect(await active(newcomer)).toMatchObject({ nodeId: 'i-2', epoch: 2 });
  first.check();
  await lost;
});

it('a token that never takes over leaves the stream even to its own publisher', async () => {
  nodes = [nodeRecord({ ...selfOf('i-1'), heartbeatAt: Date.now() })];
  await active(newRole('i-1'));
  const newcomer = newRole('i-2', { takeover: 'never' });
  const lost = next(newcomer, 'lost');
  newcomer.take();
  await lost;
  expect(await origins()).toMatchObject([{ nodeId: 'i-1', epoch: 1 }]);
});

it('another token takes the stream of a dead node of its region, but not one of another region', async () => {
  nodes = [nodeRecord({ ...selfOf('i-2'), heartbeatAt: Date.now() })];
  await active(newRole('i-1'));
  expect(await active(newRole('i-2', { tokenId: 'token-2' }))).toMatchObject({ epoch: 2 });
  const elsewhere = newRole('i-3', { tokenId: 'token-3', self: selfOf('i-3', 'us-east-1') });
  const lost = next(elsewhere, 'lost');
  elsewhere.take();
  await lost;
});

it('a claim that was released over its head is taken again with a new epoch', async () => {
  const role = newRole('i-1');
  const claim = await active(role);
  const again = next(role, 'active');
  await map.release(claim);
  expect((await again)[0]).toMatchObject({ nodeId: 'i-1', epoch: 2 });
});

/** The stream map, away until it is told to come back. */
function mapWithOutage(): { streamMap: StreamMap; asked: () => number; back: () => void } {
  let [away, asked] = [true, 0];
  const unlessAway = () => {
    asked += 1;
    if (away) throw new Error('the map is away');
  };
  const streamMap: StreamMap = {
    read: async (...args) => {
      unlessAway();
      return map.read(...args);
    },
    claimOrigin: async (...args) => {
      unlessAway();
      return map.claimOrigin(...args);
    },
    release: (claim) => map.release(claim),
    claimRegion: unused,
    setYields: unused,
    held: unused,
  };
  return {
    streamMap,
    asked: () => asked,
    back: () => {
      away = false;
    },
  };
}

it('while the map is away it tries on, and is active when the map is back', async () => {
  const { streamMap, asked, back } = mapWithOutage();
  const role = newRole('i-1', { streamMap });
  const became = next(role, 'active');
  role.take();
  await vi.waitFor(() => expect(asked()).toBeGreaterThan(2));
  back();
  expect((await became)[0]).toMatchObject({ epoch: 1 });
});

it('closed while the map is away, it asks no more and leaves no claim', async () => {
  const { streamMap, asked, back } = mapWithOutage();
  const role = newRole('i-1', { streamMap });
  role.take();
  await vi.waitFor(() => expect(asked()).toBeGreaterThan(1));
  role.close();
  back();
  await background.settled(5_000);
  expect(await origins()).toEqual([]);
});

it('closed while its claim is being written, it releases what was written', async () => {
  const role = newRole('i-1', {
    streamMap: {
      ...mapWithOutage().streamMap,
      read: (...args) => map.read(...args),
      claimOrigin: async (...args) => {
        role.close();
        return map.claimOrigin(...args);
      },
    },
  });
  role.take();
  await vi.waitFor(async () =>
    expect((await origins()).map(({ releasedAt }) => typeof releasedAt)).toEqual(['number']),
  );
});

it('a claim whose answer was lost is released all the same', async () => {
  const role = newRole('i-1', {
    streamMap: {
      ...mapWithOutage().streamMap,
      read: (...args) => map.read(...args),
      claimOrigin: async (...args) => {
        await map.claimOrigin(...args);
        throw new Error('the answer was lost');
      },
    },
  });
  role.take();
  await vi.waitFor(async () => expect(await origins()).toHaveLength(1));
  role.close();
  await vi.waitFor(async () =>
    expect((await origins()).map(({ releasedAt }) => typeof releasedAt)).toEqual(['number']),
  );
});

it('of two that write at once both end with an epoch of their own, the newer one active', async () => {
  const [one, two] = [newRole('i-1'), newRole('i-2')];
  const over = Promise.race([next(one, 'lost'), next(two, 'lost')]);
  one.take();
  two.take();
  await over;
  expect(await origins()).toMatchObject([{ epoch: 2 }]);
});

/** A publisher whose media a test starts and stops. */
function media(sends = true) {
  let flow: Flow = { silentFor: 0, steadyFor: 60_000 };
  const control = {
    measure: async () => flow,
    stop: () => {
      flow = { silentFor: 60_000, steadyFor: 60_000 };
    },
    start: (steadyFor: number) => {
      flow = { silentFor: 0, steadyFor };
    },
  };
  if (!sends) control.stop();
  return control;
}
const TOGETHER = timingFrom({
  MERIDIAN_CLAIM_CHECK_MS: '100',
  MERIDIAN_PUBLISHER_SILENCE_MS: '100',
  MERIDIAN_FAILBACK_AFTER_MS: '3000',
});
/** Some looks at the media, and some checks. */
const aWhile = () => sleep(250);
/** For what comes over HTTP and a database of this process, on a machine that is busy. */
const WAIT = { timeout: 5_000 };
const heldOrigins = async () => (await origins()).filter(isHeld);

interface Pair {
  main: OriginRole;
  backup: OriginRole;
  mainMedia: ReturnType<typeof media>;
  backupMedia: ReturnType<typeof media>;
}
/** A main publisher that carries the stream, and one that stands by. */
async function pair(changes: Partial<OriginRoleOptions> = {}): Promise<Pair> {
  const [mainMedia, backupMedia] = [media(), media()];
  const main = newRole('i-main', { timing: TOGETHER, priority: 5, flow: mainMedia, ...changes });
  await active(main);
  const backup = newRole('i-backup', { timing: TOGETHER, priority: 1, flow: backupMedia, ...changes });
  backup.take();
  await vi.waitFor(async () => expect(await heldOrigins()).toHaveLength(2));
  main.check();
  await turn();
  return { main, backup, mainMedia, backupMedia };
}
/** All events of a role from now on. */
function noted(role: OriginRole): Event[] {
  const seen: Event[] = [];
  for (const event of ['active', 'standby', 'lost'] as const) role.on(event, () => seen.push(event));
  return seen;
}

it('silent beside a rival it yields, and the rival carries the stream', async () => {
  const { main, backup, mainMedia } = await pair();
  const over = Promise.all([next(main, 'standby'), next(backup, 'active')]);
  mainMedia.stop();
  await over;
  expect(await heldOrigins()).toEqual(
    expect.arrayContaining([expect.objectContaining({ nodeId: 'i-main', epoch: 1, yields: true })]),
  );
});

it('silent and alone it stays what it is, and its media is not even looked at', async () => {
  const flow = media(false);
  const measured = vi.spyOn(flow, 'measure');
  const role = newRole('i-1', { timing: TOGETHER, flow });
  await active(role);
  const seen = noted(role);
  await aWhile();
  expect(seen).toEqual([]);
  expect(measured).not.toHaveBeenCalled();
  expect((await origins())[0]).not.toHaveProperty('yields');
});

it('its media is looked at no more when its rival has left, or it has itself', async () => {
  const { main, backup, mainMedia, backupMedia } = await pair();
  const [mainLooks, backupLooks] = [mainMedia, backupMedia].map((flow) => vi.spyOn(flow, 'measure'));
  await vi.waitFor(() => expect(mainLooks).toHaveBeenCalled());
  backup.close();
  await background.settled(5_000);
  main.check();
  await aWhile();
  mainLooks?.mockClear();
  backupLooks?.mockClear();
  await aWhile();
  expect(mainLooks).not.toHaveBeenCalled();
  expect(backupLooks).not.toHaveBeenCalled();
});

it('it has the stream back when it has been steady for long enough, and not before', async () => {
  const { main, backup, mainMedia } = await pair();
  let over = Promise.all([next(main, 'standby'), next(backup, 'active')]);
  mainMedia.stop();
  await over;
  const seen = noted(main);
  mainMedia.start(2_999);
  await aWhile();
  expect(seen).toEqual([]);
  over = Promise.all([next(main, 'active'), next(backup, 'standby')]);
  mainMedia.start(3_000);
  await over;
  expect((await heldOrigins()).map(({ yields = false }) => yields)).toEqual([false, false]);
});

it('without failback the stream stays where it is until that publisher falls silent', async () => {
  const { main, backup, mainMedia, backupMedia } = await pair({ failback: false });
  const over = Promise.all([next(main, 'standby'), next(backup, 'active')]);
  mainMedia.stop();
  await over;
  const seen = noted(main);
  mainMedia.start(60_000);
  await aWhile();
  expect(seen).toEqual([]);
  const back = next(main, 'active');
  backupMedia.stop();
  await back;
});

it('a higher one that comes to a stream that another carries waits until it is steady', async () => {
  const backup = newRole('i-backup', { timing: TOGETHER, priority: 1, flow: media() });
  await active(backup);
  const [seen, flow] = [noted(backup), media()];
  flow.start(0);
  const main = newRole('i-main', { timing: TOGETHER, priority: 5, flow });
  main.take();
  await vi.waitFor(async () => expect(await heldOrigins()).toHaveLength(2));
  await aWhile();
  expect(seen).toEqual([]);
  const over = Promise.all([next(main, 'active'), next(backup, 'standby')]);
  flow.start(3_000);
  await over;
});

it('when its yielding cannot be written it is tried again, and nothing changes until then', async () => {
  const setYields = vi.spyOn(map, 'setYields').mockRejectedValue(new Error('the map is away'));
  onTestFinished(() => setYields.mockRestore());
  const { main, mainMedia } = await pair();
  const seen = noted(main);
  mainMedia.stop();
  await vi.waitFor(() => expect(setYields.mock.calls.length).toBeGreaterThan(2));
  expect(seen).toEqual([]);
  const standby = next(main, 'standby');
  setYields.mockRestore();
  await standby;
});

it('a yielding whose answer was lost is taken back in the map, too, when the media is there again', async () => {
  const { main, mainMedia } = await pair();
  const seen = noted(main);
  const write = map.setYields.bind(map);
  const lost = vi.spyOn(map, 'setYields').mockImplementationOnce(async (claim) => {
    await write(claim);
    mainMedia.start(60_000);
    throw new Error('no answer in time');
  });
  onTestFinished(() => lost.mockRestore());
  mainMedia.stop();
  await vi.waitFor(async () =>
    expect((await heldOrigins()).find(({ nodeId }) => nodeId === 'i-main')).toMatchObject({
      yields: false,
      revision: 2,
    }),
  );
  expect(seen).toEqual([]);
});

it('a claim that turns out to be gone when it is to yield is looked for at once', async () => {
  const { main, mainMedia } = await pair({ timing: { ...TOGETHER, claimCheck: 60_000 } });
  const claim = (await heldOrigins()).find(({ nodeId }) => nodeId === 'i-main');
  if (claim === undefined) throw new Error('not claimed');
  await map.release(claim);
  mainMedia.stop();
  await vi.waitFor(async () =>
    expect(await heldOrigins()).toMatchObject([{ priority: 1 }, { priority: 5, epoch: 3 }]),
  );
  main.close();
});

/** Another region that notes what it is told. */
async function listeningRegion(): Promise<{ regions: RegionClient; told: Notice[] }> {
  const told: Notice[] = [];
  const server = await startServer(async (request, response) => {
    const asked = cascadeRequest.parse(JSON.parse(await text(request)));
    if (asked.ask === 'notice') told.push(asked.notice);
    response.end(JSON.stringify({ v: 1 }));
  });
  onTestFinished(() => server.close());
  const api = { id: 'us-east-1', api: server.url };
  return {
    regions: new RegionClient({ regions: [api], credentials: async () => credentials, timeout: 1_000 }),
    told,
  };
}

it('regions that hold a role are told of its claim, its yielding and its release, once each', async () => {
  const { regions, told } = await listeningRegion();
  await map.claimRegion(regionClaim({ stream, region: 'us-east-1' }), undefined);
  const { main, mainMedia } = await pair({ regions });
  const own = () =>
    told
      .filter(({ claim: { nodeId } }) => nodeId === 'i-main')
      .map(({ claim: { yields = false, releasedAt } }) => [yields, releasedAt !== undefined]);
  await vi.waitFor(() => expect(own()).toEqual([[false, false]]), WAIT);
  const standby = next(main, 'standby');
  mainMedia.stop();
  await standby;
  await vi.waitFor(() => expect(own()).toHaveLength(2), WAIT);
  await aWhile();
  main.close();
  await vi.waitFor(() => expect(own()).toHaveLength(3), WAIT);
  expect(own()).toEqual([
    [false, false],
    [true, false],
    [true, true],
  ]);
});

it('notices make no notices, and a steady pair writes and tells nothing', async () => {
  const { regions, told } = await listeningRegion();
  await map.claimRegion(regionClaim({ stream, region: 'us-east-1' }), undefined);
  const { main, backup } = await pair({ regions });
  await vi.waitFor(() => expect(told.length).toBeGreaterThanOrEqual(2));
  const before = told.length;
  const writes = vi.spyOn(map, 'setYields');
  onTestFinished(() => writes.mockRestore());
  for (let n = 0; n < 20; n += 1) {
    for (const claim of await origins()) {
      main.learn(claim);
      backup.learn(claim);
    }
  }
  await aWhile();
  expect(told.length).toBe(before);
  expect(writes).not.toHaveBeenCalled();
});

it('told of what the map does not show yet, it acts at once', async () => {
  const older = newRole('i-1', { timing: { ...timing, claimCheck: 60_000 } });
  await active(older);
  const lost = next(older, 'lost');
  const newer = originClaim({ stream, ...selfOf('i-2', 'us-east-1'), epoch: 2 });
  older.learn(newer);
  await lost;
});

it('with another priority it has another claim, its old one is released, and it goes on being active', async () => {
  const role = newRole('i-1', { priority: 3 });
  const claim = await active(role);
  const again = next(role, 'active');
  await role.setPriority(7);
  expect((await again)[0]).toMatchObject({ priority: 7, epoch: 2 });
  await background.settled(5_000);
  expect(await heldOrigins()).toMatchObject([{ priority: 7, epoch: 2, nodeId: 'i-1', yields: false }]);
  expect(role.priority).toBe(7);
  expect(role.holds(claim)).toBe(false);
  role.close();
  await background.settled(5_000);
  expect(await heldOrigins()).toEqual([]);
});

it('below its rival it stands by at once, above it it is active again', async () => {
  const { main, backup } = await pair({ timing: { ...TOGETHER, claimCheck: 60_000 } });
  const waits = next(main, 'standby');
  await main.setPriority(0);
  await waits;
  backup.check();
  const again = next(main, 'active');
  await main.setPriority(9);
  await again;
});

it('what it says of yielding goes along with its priority', async () => {
  const { main, mainMedia } = await pair();
  const standby = next(main, 'standby');
  mainMedia.stop();
  await standby;
  const seen = noted(main);
  await main.setPriority(9);
  await background.settled(5_000);
  await aWhile();
  expect((await heldOrigins()).find(({ nodeId }) => nodeId === 'i-main')).toMatchObject({
    priority: 9,
    yields: true,
  });
  expect(seen).toEqual([]);
});

it('a priority that another has, or that it has itself, changes nothing', async () => {
  const { main } = await pair();
  const before = await origins();
  await expect(main.setPriority(1)).rejects.toMatchObject({ status: 409, code: 'priority-conflict' });
  await main.setPriority(5);
  expect(await origins()).toEqual(before);
  expect(main.priority).toBe(5);
});

it('a priority that was given up by another can be had', async () => {
  const { main, backup } = await pair();
  backup.close();
  await background.settled(5_000);
  await main.setPriority(1);
  await background.settled(5_000);
  expect(await heldOrigins()).toMatchObject([{ nodeId: 'i-main', priority: 1, epoch: 3 }]);
});

it('before it has claimed its stream it has no priority to change', async () => {
  await expect(newRole('i-1').setPriority(3)).rejects.toMatchObject({
    status: 409,
    code: 'priority-conflict',
  });
});

it('of two changes at once one is made, and the other refused: no claim is left behind', async () => {
  const role = newRole('i-1', { priority: 3 });
  await active(role);
  const made = await Promise.allSettled([role.setPriority(5), role.setPriority(7)]);
  expect(made.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  await background.settled(5_000);
  expect(await heldOrigins()).toHaveLength(1);
  expect((await heldOrigins())[0]?.priority).toBe(role.priority);
});

it('closed while its priority is being changed, it leaves no claim', async () => {
  const role = newRole('i-1', { priority: 3 });
  await active(role);
  const claimOrigin = map.claimOrigin.bind(map);
  const writing = vi.spyOn(map, 'claimOrigin').mockImplementationOnce(async (...args) => {
    const written = await claimOrigin(...args);
    role.close();
    return written;
  });
  onTestFinished(() => writing.mockRestore());
  await role.setPriority(5);
  await background.settled(5_000);
  expect(await origins()).toHaveLength(2);
  expect(await heldOrigins()).toEqual([]);
});

it('closed before the new priority’s claim is written, it writes none that stays', async () => {
  const role = newRole('i-1', { priority: 3 });
  await active(role);
  const read = map.read.bind(map);
  const reading = vi.spyOn(map, 'read').mockImplementationOnce(async (...args) => {
    const claims = await read(...args);
    role.close();
    return claims;
  });
  onTestFinished(() => reading.mockRestore());
  await role.setPriority(5).catch(() => undefined);
  await background.settled(5_000);
  expect(await heldOrigins()).toEqual([]);
});

it('a priority whose answer was lost leaves no claim behind, and the old one goes on', async () => {
  const role = newRole('i-1', { priority: 3 });
  await active(role);
  const seen = noted(role);
  const claimOrigin = map.claimOrigin.bind(map);
  const writing = vi.spyOn(map, 'claimOrigin').mockImplementationOnce(async (...args) => {
    await claimOrigin(...args);
    throw new Error('the answer was lost');
  });
  onTestFinished(() => writing.mockRestore());
  await expect(role.setPriority(5)).rejects.toThrow('the answer was lost');
  await background.settled(5_000);
  expect(await heldOrigins()).toMatchObject([{ priority: 3, epoch: 1 }]);
  await aWhile();
  expect(seen.filter((event) => event === 'lost')).toEqual([]);
  expect(role.priority).toBe(3);
});

it('a check that read the map before the change does not take the new claim for gone', async () => {
  const role = newRole('i-1', { priority: 3, timing: { ...timing, claimCheck: 60_000 } });
  await active(role);
  const before = await map.read(stream, { consistent: true });
  const late = Promise.withResolvers<StreamClaims>();
  const reading = vi.spyOn(map, 'read').mockReturnValueOnce(late.promise);
  onTestFinished(() => reading.mockRestore());
  role.check();
  await role.setPriority(5);
  late.resolve(before);
  await aWhile();
  await background.settled(5_000);
  expect(await heldOrigins()).toMatchObject([{ priority: 5, epoch: 2 }]);
});

it('one that takes its claim back and finds another in front of it stands by', async () => {
  const role = newRole('i-1', { priority: 1 });
  const claim = await active(role);
  const waits = next(role, 'standby');
  const first = originClaim({ stream, ...selfOf('i-2', 'us-east-1'), epoch: 2, priority: 5 });
  const read = map.read.bind(map);
  const reading = vi.spyOn(map, 'read').mockImplementationOnce(async (...args) => {
    await map.release(claim);
    const claims = await read(...args);
    await map.claimOrigin(first, undefined);
    return claims;
  });
  onTestFinished(() => reading.mockRestore());
  role.check();
  await waits;
  expect(await heldOrigins()).toHaveLength(2);
});

it.each<[string, (role: OriginRole) => unknown]>([
  ['closed', (role) => role.close()],
  ['given another priority', (role) => role.setPriority(7)],
])('%s while its yielding is being written, it does not go on with the old claim', async (_, change) => {
  const { main, mainMedia } = await pair({ timing: { ...TOGETHER, claimCheck: 60_000 } });
  const claim = (await heldOrigins()).find(({ nodeId }) => nodeId === 'i-main');
  if (claim === undefined) throw new Error('not claimed');
  const setYields = map.setYields.bind(map);
  const writing = vi.spyOn(map, 'setYields').mockImplementationOnce(async (...args) => {
    const written = await setYields(...args);
    await change(main);
    mainMedia.start(60_000);
    return written;
  });
  onTestFinished(() => writing.mockRestore());
  const seen = noted(main);
  mainMedia.stop();
  await vi.waitFor(() => expect(writing).toHaveBeenCalled());
  await aWhile();
  await background.settled(5_000);
  const held = (await heldOrigins()).filter(({ nodeId }) => nodeId === 'i-main');
  expect(held.map(({ priority, epoch }) => [priority, epoch])).toEqual(main.priority === 7 ? [[7, 3]] : []);
  expect(main.holds(claim)).toBe(false);
  expect(seen.filter((event) => event === 'standby')).toEqual([]);
});
