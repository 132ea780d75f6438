// Three regions with a replica each, that learn of each other's claims late and in any order: the invariants hold in the end.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { STREAMS_TABLE } from '#local/database.ts';
import { anyLag, type Lag, type ReplicatedWrite, Replicator } from '#local/replicator.ts';
import { startWorld, type World } from '#local/world.ts';
import { activeOrigin, type OriginClaim } from '#routing/claims.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { HttpError, Publisher, type PublishOptions, Viewer } from '#test/media/libwebrtc.ts';
import { onTwo } from './sessions.ts';
import {
  crossings,
  eventually,
  newStream,
  nodesOf,
  readTree,
  regionAt,
  type Tree,
  whep,
  whip,
} from './support.ts';

const REGIONS = ['us-east-1', 'eu-west-1', 'ap-southeast-1'];
/** What global tables are seen to take on a bad day, in ms. */
const LAG: Lag = anyLag({ least: 500, most: 5_000, seed: 20261125 });
/** Two pictures that a viewer can tell apart; libwebrtc may send them smaller, but of the same shape. */
const WIDE = { width: 320, height: 120 };
const TALL = { width: 160, height: 240 };
type Shape = 'wide' | 'tall';

// Several waits, each as long as copies take, and the machine.
vi.setConfig({ testTimeout: 240_000 });

let replicator: Replicator;
let world: World;
beforeAll(async () => {
  replicator = await Replicator.start({ regions: REGIONS, lag: LAG });
  world = await startWorld({
    regions: REGIONS,
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: true,
    database: (region) => replicator.database(region),
    env: { MERIDIAN_CPU_LIMIT: '1' },
    // Nothing but who wins may hang on a region's clocks.
    regionEnv: {
      'ap-southeast-1': {
        NODE_OPTIONS: `--import=${new URL('./clock-ahead.ts', import.meta.url).href}`,
        CLOCK_AHEAD_MS: '2000',
      },
    },
  });
});
afterAll(async () => {
  await world?.close();
  await replicator?.close();
});

const open: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  replicator.lag = LAG;
  for (const region of REGIONS) replicator.letGo(region);
  await Promise.all(open.splice(0).map((session) => session.stop().catch(() => undefined)));
});

interface Region {
  id: string;
  api: string;
}
const region = (index: number): Region => regionAt(world, index);

async function publish(stream: string, at: Region, options: Partial<PublishOptions>): Promise<Publisher> {
  const publisher = await Publisher.start({ url: whip(at, stream), token: world.publishToken, ...options });
  open.push(publisher);
  return publisher;
}
/** As soon as the region knows the stream. */
async function watch(stream: string, at: Region): Promise<Viewer> {
  await eventually(
    () => claims(stream, at),
    (known) => activeOrigin(known) !== undefined,
  );
  // It may know the loser's release before the winner's claim; then it says when to come again.
  const viewer = await eventually(
    () => Viewer.start({ url: whep(at, stream) }).catch(unlessComeAgain),
    (started) => started !== undefined,
  );
  if (viewer === undefined) throw new Error('no viewer');
  open.push(viewer);
  return viewer;
}
function unlessComeAgain(error: unknown): undefined {
  if (!(error instanceof HttpError && [409, 503].includes(error.status))) throw error;
}
const watchAll = (stream: string, at: readonly Region[]) =>
  Promise.all(at.map((where) => watch(stream, where)));

/** What a region's replica says. */
const claims = (stream: string, at: Region) =>
  new DynamoStreamMap(replicator.database(at.id).documents, STREAMS_TABLE).read(stream, { consistent: true });
/** Resolves when none of a stream's claims is on its way. */
const settled = (stream: string) => replicator.settled(({ key }) => key.pk === `STREAM#${stream}`);
const active = async (stream: string, at: Region) => activeOrigin(await claims(stream, at));
/** The regions of the origin claims that are not released. */
const heldOrigins = async (stream: string, at: Region) =>
  (await claims(stream, at)).origins
    .filter(({ releasedAt }) => releasedAt === undefined)
    .map((claim) => claim.region);

/** Resolves, with the time in ms, when a region's replica shows the claim. */
async function shown(stream: string, at: Region, is: (claim: OriginClaim) => boolean): Promise<number> {
  await eventually(
    () => claims(stream, at),
    ({ origins }) => origins.some(is),
  );
  return performance.now();
}

/** Resolves when the viewer decodes nothing but pictures of that shape for a while. */
const sees = (viewer: Viewer, shape: Shape, within = 15_000) =>
  eventually(
    async () => {
      viewer.shapes.clear();
      await sleep(300);
      return [...viewer.shapes];
    },
    (shapes) => shapes.length === 1 && shapes[0] === shape,
    within,
  );

/** Whether a publisher's session has ended, as its client learns it. */
async function hasEnded({ session }: Publisher): Promise<boolean> {
  const response = await fetch(session.location, {
    method: 'PATCH',
    headers: {
      authorization: `Bearer ${world.publishToken}`,
      'content-type': 'application/trickle-ice-sdpfrag',
      'if-match': '"not the tag"',
    },
    body: 'a=ice-ufrag:x\r\na=ice-pwd:y',
  });
  return response.status === 404;
}

const trees = (stream: string) =>
  Promise.all(world.regions.map((at) => readTree(stream, at, world.apiSecret)));
/** What must not hang on who is asked. */
const outline = (tree: Tree | undefined) =>
  tree && {
    origin: tree.origin && `${tree.origin.region} ${tree.origin.nodeId} ${tree.origin.epoch}`,
    regions: tree.regions
      .map((part) => ({
        id: part.region,
        secondary: part.secondaryOrigin?.nodeId,
        nodes: part.nodes
          .map(({ nodeId, role, parent }) => `${nodeId} ${role} of ${parent?.region} ${parent?.nodeId}`)
          .toSorted(),
      }))
      .toSorted((a, b) => a.id.localeCompare(b.id)),
  };

/**
 * Resolves when every region shows the same tree, of that origin and of no other publisher, with one crossing into each
 * other region that watches. Roles that are given up late are told late: some of this is seen a lag after the last act.
 */
async function invariants(stream: string, origin: Region, watching: readonly Region[], within = 20_000) {
  const fault = (all: (Tree | undefined)[]): string | undefined => {
    const [first] = all;
    if (first === undefined) return 'not live';
    if (new Set(all.map((tree) => JSON.stringify(outline(tree)))).size > 1) return 'not the same everywhere';
    if (first.origin?.region !== origin.id) return 'another origin';
    for (const at of world.regions) {
      const count = crossings(first, at).length;
      const wanted = at.id !== origin.id && watching.some(({ id }) => id === at.id) ? 1 : 0;
      if (count !== wanted) return `${count} crossings into ${at.id}`;
      const secondary = first.regions.find((part) => part.region === at.id)?.secondaryOrigin?.nodeId;
      const [crossing] = crossings(first, at);
      if (secondary !== crossing?.nodeId) return `secondary origin of ${at.id} is ${secondary}`;
      if (crossing && crossing.parent?.region !== origin.id) return `${at.id} pulls from elsewhere`;
    }
    return undefined;
  };
  await eventually(
    async () => {
      const all = await trees(stream);
      const origins = await Promise.all(world.regions.map((at) => heldOrigins(stream, at)));
      const wrong = origins.every((held) => held.join() === origin.id) ? fault(all) : 'two publishers';
      return wrong && { wrong, origins, trees: all.map(outline) };
    },
    (wrong) => wrong === undefined,
    within,
  );
}

/** Claims that are released travel as fast as `released`, others as `held`. */
const byKind =
  (held: number, released: number): Lag =>
  ({ item }: ReplicatedWrite) =>
    item?.releasedAt === undefined ? held : released;

const measured = (what: string, from: number) =>
  process.stdout.write(`${what}: ${Math.round(performance.now() - from)} ms\n`);

/** A clock that runs ahead wins where two claims have the same epoch; nothing else may hang on it. */
describe.each([
  ['true clocks', 0, 1, 2],
  ['one clock 2 s ahead', 0, 2, 1],
])('two publishers with one token, in two regions at once, %s', (_, one, other, third) => {
  test('become one', async () => {
    const stream = newStream('at-once');
    const [a, b, c] = [region(one), region(other), region(third)];
    // However long a busy machine takes for the two POSTs: neither sees the other's claim before it writes its own.
    for (const at of [a, b]) replicator.hold(at.id);
    const [inA, inB] = await Promise.all([publish(stream, a, WIDE), publish(stream, b, TALL)]);
    await Promise.all([a, b].map((at) => shown(stream, at, (claim) => claim.region === at.id)));
    expect([(await active(stream, a))?.region, (await active(stream, b))?.region]).toEqual([a.id, b.id]);
    for (const at of [a, b]) replicator.letGo(at.id);
    const viewers = await watchAll(stream, [a, b, c]);
    await Promise.all(viewers.map((viewer) => viewer.watch(1)));

    // The loser's region has to see the winner's claim.
    const claimOf = async (at: Region) =>
      (await claims(stream, at)).origins.find((claim) => claim.region === at.id);
    const [ofA, ofB] = [await claimOf(a), await claimOf(b)];
    if (!ofA || !ofB) throw new Error('no claims');
    const aWins = activeOrigin({ stream, origins: [ofA, ofB], regions: [] })?.region === a.id;
    if (other === 2) expect(aWins).toBe(false);
    const [winner, loser] = aWins ? [a, b] : [b, a];
    const [kept, ended] = aWins ? [inA, inB] : [inB, inA];
    const from = await shown(stream, loser, (claim) => claim.region === winner.id);
    await eventually(
      () => hasEnded(ended),
      (gone) => gone,
    );
    measured('the losing publisher ended after its region saw the winner', from);
    await Promise.all(viewers.map((viewer) => sees(viewer, aWins ? 'wide' : 'tall')));
    measured('all viewers on the winner', from);
    await settled(stream);
    const lastCopy = performance.now();
    await invariants(stream, winner, [a, b, c]);
    measured('invariants after the last copy', lastCopy);
    expect(await hasEnded(kept)).toBe(false);
  });
});

test('a publisher moves while the region that it left is 5 s behind', async () => {
  const stream = newStream('moves');
  const [a, b, c] = [region(0), region(1), region(2)];
  replicator.lag = () => 200;
  await publish(stream, a, WIDE);
  const viewers = await watchAll(stream, [a, b, c]);
  await Promise.all(viewers.map((viewer) => sees(viewer, 'wide')));
  await settled(stream);

  const others = anyLag({ least: 500, most: 1_500, seed: 7 });
  replicator.lag = (write, to) => (to === a.id || write.region === a.id ? 5_000 : others(write, to));
  const from = performance.now();
  // Its old session is still open: the encoder was started anew elsewhere.
  const moved = await publish(stream, b, TALL);
  await Promise.all(viewers.map((viewer) => sees(viewer, 'tall', 20_000)));
  measured('all viewers on the publisher that moved', from);
  await settled(stream);
  await invariants(stream, b, [a, b, c]);
  measured('invariants after the move', from);
  expect(await hasEnded(moved)).toBe(false);
});

test('a secondary origin dies while claims come late: one takes its place', async () => {
  const stream = newStream('secondary');
  const [a, b] = [region(0), region(1)];
  await publish(stream, a, WIDE);
  const viewers = await onTwo(() => watch(stream, b), 2);
  await Promise.all(viewers.map((viewer) => sees(viewer, 'wide')));
  await settled(stream);
  await invariants(stream, a, [b]);
  const dying = (await claims(stream, b)).regions.find((claim) => claim.region === b.id)?.nodeId;
  const node = world.nodes.find(({ nodeId }) => nodeId === dying);
  if (!node) throw new Error('no secondary origin');
  const before = await eventually(
    () => readTree(stream, b, world.apiSecret),
    (tree) =>
      tree !== undefined &&
      nodesOf(tree, b).reduce((sum, { viewers: count }) => sum + count, 0) === viewers.length,
  );
  const lost = nodesOf(before ?? never(), b).find(({ nodeId }) => nodeId === dying)?.viewers ?? 0;
  expect(lost).toBeLessThan(viewers.length);
  const from = performance.now();
  node.child.process.kill('SIGKILL');
  const claimed = await eventually(
    () => claims(stream, b),
    ({ regions }) => regions.some((claim) => claim.region === b.id && claim.nodeId !== dying),
  );
  measured('a new secondary origin', from);
  expect(claimed.regions.filter((claim) => claim.region === b.id)).toHaveLength(1);
  await settled(stream);
  await invariants(stream, a, [b]);
  measured('invariants after its death, every copy come', from);
  // Those of the other edge kept their session; the others' clients have to come again.
  const seen = await Promise.allSettled(viewers.map((viewer) => sees(viewer, 'wide', 10_000)));
  expect(seen.filter(({ status }) => status === 'fulfilled')).toHaveLength(viewers.length - lost);
});

test('a release that comes before the claim that it releases ends nothing newer', async () => {
  const stream = newStream('release-first');
  const [a, b, c] = [region(0), region(1), region(2)];
  replicator.lag = byKind(4_000, 300);
  const first = await publish(stream, a, WIDE);
  await shown(stream, a, (claim) => claim.region === a.id);
  await first.stop();
  // Elsewhere only the release of a claim is known that was never seen.
  await shown(stream, b, (claim) => claim.region === a.id && claim.releasedAt !== undefined);
  expect(await active(stream, b)).toBeUndefined();
  await publish(stream, b, TALL);
  const viewers = await watchAll(stream, [a, b, c]);
  await Promise.all(viewers.map((viewer) => sees(viewer, 'tall')));
  await settled(stream);
  await invariants(stream, b, [a, b, c]);
});

test('a region is cut off for 10 s while the publisher moves, and comes back', async () => {
  const stream = newStream('cut-off');
  const [a, b, c] = [region(0), region(1), region(2)];
  replicator.lag = () => 200;
  await publish(stream, a, WIDE);
  const viewers = await watchAll(stream, [a, b, c]);
  await Promise.all(viewers.map((viewer) => sees(viewer, 'wide')));
  await settled(stream);
  replicator.lag = LAG;
  for (const at of [a, c]) {
    // The publisher's old region first, then one that only watches.
    const target = at === a ? b : a;
    const shape = at === a ? 'tall' : 'wide';
    replicator.hold(at.id);
    await publish(stream, target, at === a ? TALL : WIDE);
    // How long it is cut off is what is tested.
    await sleep(10_000);
    replicator.letGo(at.id);
    const from = performance.now();
    await Promise.all(viewers.map((viewer) => sees(viewer, shape)));
    measured(`all viewers on the publisher that moved, after ${at.id} was let go`, from);
    await settled(stream);
    await invariants(stream, target, [a, b, c]);
    measured('invariants after it was let go', from);
  }
});

function never(): never {
  throw new Error('not live');
}
