// A publisher's hold on its stream, on a real stream map: who is active, who waits, who must step down.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { type Database, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { Background } from '#media-fleet/background.ts';
import { OriginRole, type OriginRoleOptions } from '#media-fleet/origin-role.ts';
import { Peers } from '#media-fleet/peers.ts';
import type { OriginClaim } from '#routing/claims.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { NodeClient } from '#routing/node-client.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import { RegionClient } from '#routing/region-client.ts';
import { RouteCache } from '#routing/route-cache.ts';
import type { StreamMap } from '#routing/stream-map.ts';
import { timingFrom } from '#routing/timing.ts';
import { nodeRecord } from '#test/unit/routing/samples.ts';
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
    viewing: 'open',
    flow: { measure: async () => ({ silentFor: 0, steadyFor: 60_000 }) },
    failback: true,
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
