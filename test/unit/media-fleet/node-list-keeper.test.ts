// Who writes a large region's node list: one at a time, another when that one has stopped, nobody where it is small.

import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { type Database, nodesTable, startDatabase } from '#local/database.ts';
import { NodeListKeeper } from '#media-fleet/node-list-keeper.ts';
import { NodeListStore, SMALL_REGION } from '#routing/node-list-store.ts';
import { nodeRecord } from '#test/unit/routing/samples.ts';
import { silent } from './media.ts';

const REGIONS = ['eu-west-1', 'us-east-1', 'ap-south-1'];
const timing = { heartbeat: 20, nodeDeadAfter: 100 };
let database: Database;
let keepers: NodeListKeeper[] = [];

beforeAll(async () => {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  database = await startDatabase({ regions: REGIONS, credentials });
});
afterEach(async () => {
  await Promise.all(keepers.map((keeper) => keeper.close()));
  keepers = [];
});
afterAll(() => database.close());

const storeOf = (region: string) => new NodeListStore(database.documents, nodesTable(region));
const nodesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => nodeRecord({ nodeId: `i-${index}` }));

function begin(region: string, incarnation: string, list = async () => nodesOf(SMALL_REGION + 1)) {
  const keeper = new NodeListKeeper({
    self: { incarnation },
    registry: { list },
    store: storeOf(region),
    timing,
    log: silent,
  });
  keepers.push(keeper);
  return keeper;
}

it('one of them keeps it, and another when that one has gone', async () => {
  const store = storeOf('eu-west-1');
  const byName = new Map(
    ['start-no-1', 'start-no-2', 'start-no-3'].map((name) => [name, begin('eu-west-1', name)]),
  );
  const first = await vi.waitFor(async () => {
    const keeper = await store.keeper();
    if (keeper === undefined) throw new Error('nobody keeps it');
    return keeper;
  });
  await vi.waitFor(async () => expect((await store.read())?.nodes).toHaveLength(SMALL_REGION + 1));
  // It goes on.
  await vi.waitFor(async () => expect((await store.keeper())?.at).toBeGreaterThan(first.at));
  await byName.get(first.by)?.close();
  await vi.waitFor(async () => expect((await store.keeper())?.by).not.toBe(first.by), { timeout: 5_000 });
});

it('a small region has none', async () => {
  const list = vi.fn(async () => nodesOf(SMALL_REGION));
  begin('us-east-1', 'start-no-1', list);
  await vi.waitFor(() => expect(list.mock.calls.length).toBeGreaterThan(2));
  expect(await storeOf('us-east-1').keeper()).toBeUndefined();
});

it('a registry that does not answer is asked again', async () => {
  const list = vi.fn(async () => nodesOf(SMALL_REGION + 1)).mockRejectedValueOnce(new Error('throttled'));
  begin('ap-south-1', 'start-no-1', list);
  await vi.waitFor(async () => expect(await storeOf('ap-south-1').read()).toBeDefined(), { timeout: 5_000 });
});
