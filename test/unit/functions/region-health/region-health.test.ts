// A region's check on real tables: what it reads and writes, and that the DNS follows.

import { afterAll, beforeEach, expect, it, vi } from 'vitest';
import { log } from '#functions/log.ts';
import { CANNOT_SERVE } from '#functions/region-health/contract.ts';
import { RegionHealth, type RegionHealthOptions } from '#functions/region-health/region-health.ts';
import { CONTROL_TABLE, type Database, nodesTable, startDatabase } from '#local/database.ts';
import { DynamoControlStore } from '#routing/control-store.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { DynamoStandingStore } from '#routing/standing-store.ts';
import { nodeRecord } from '#test/unit/routing/samples.ts';

const REGION = 'eu-west-1';
let database: Database;
let control: DynamoControlStore;
let nodes: DynamoNodeRegistry;
const setOut = vi.fn(async (_out: boolean) => undefined);
let standings: DynamoStandingStore;
let health: RegionHealth;
const warn = vi.spyOn(log, 'warn').mockImplementation(() => undefined);
/** It is in, and has just said so. */
const OTHER = { region: 'us-east-1', out: false, streak: 0, changedAt: 1, checkedAt: Date.now() };

const check = (changes: Partial<RegionHealthOptions> = {}) =>
  new RegionHealth({
    region: REGION,
    regions: [REGION, OTHER.region],
    nodes,
    control,
    standings,
    dns: { setOut },
    deadAfter: 3_000,
    interval: 60_000,
    ...changes,
  });

afterAll(() => {
  vi.restoreAllMocks();
  return database.close();
});
beforeEach(async () => {
  await database?.close();
  database = await startDatabase({
    regions: [REGION],
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  control = new DynamoControlStore(database.documents, CONTROL_TABLE);
  nodes = new DynamoNodeRegistry(database.documents, nodesTable(REGION));
  setOut.mockClear();
  standings = new DynamoStandingStore(database.documents, CONTROL_TABLE);
  warn.mockClear();
  health = check();
  await standings.write(OTHER, undefined);
});

async function serve(): Promise<void> {
  const heartbeatAt = Date.now() + 60_000;
  await nodes.beat(nodeRecord({ nodeId: 'i-origin', group: 'origin', heartbeatAt }));
  await nodes.beat(nodeRecord({ nodeId: 'i-edge', heartbeatAt }));
}
const own = async () => (await control.regions()).standings.find(({ region }) => region === REGION);

it('a region with nodes is in, and says at each check that it has looked', async () => {
  await serve();
  const first = await health.check();
  expect(await own()).toEqual(first);
  expect(first).toMatchObject({ region: REGION, out: false, streak: 0, changedAt: first?.checkedAt });
  vi.spyOn(Date, 'now').mockReturnValueOnce(Date.now() + 1_000);
  const second = await health.check();
  expect(second?.changedAt).toBe(first?.changedAt);
  expect(second?.checkedAt).toBeGreaterThan(first?.checkedAt ?? 0);
  expect(await own()).toEqual(second);
  expect(setOut.mock.calls).toEqual([[false], [false]]);
  expect(warn).not.toHaveBeenCalled();
});

it('two checks at once count once', async () => {
  await health.check();
  expect(await own()).toMatchObject({ streak: 1 });
  // Both have read before either writes.
  const states = await control.regions();
  const both = check({ control: { regions: async () => states } });
  vi.spyOn(Date, 'now').mockReturnValueOnce(Date.now() + 1_000);
  expect(await both.check()).toMatchObject({ streak: 2 });
  expect(await both.check()).toBeUndefined();
  expect(await own()).toMatchObject({ out: false, streak: 2 });
});

it('the first two checks at once count once', async () => {
  const states = await control.regions();
  const both = check({ control: { regions: async () => states } });
  expect(await Promise.all([both.check(), both.check()])).toContain(undefined);
  expect(await own()).toMatchObject({ streak: 1 });
});

it('each check that finds no node says what the alarm counts', async () => {
  await health.check();
  await health.check();
  expect(warn.mock.calls.map(([message]) => message)).toEqual([CANNOT_SERVE, CANNOT_SERVE]);
});

it('a region that is not configured any more does not let the last one go', async () => {
  const alone = check({ regions: [REGION] });
  for (let n = 0; n < 4; n += 1) await alone.check();
  expect(await own()).toMatchObject({ out: false });
});

it('without nodes it is out after three checks, and in again five after they are back', async () => {
  for (let n = 0; n < 3; n += 1) await health.check();
  expect(setOut.mock.calls).toEqual([[false], [false], [true]]);
  expect(await own()).toMatchObject({ out: true });
  await serve();
  setOut.mockClear();
  for (let n = 0; n < 5; n += 1) await health.check();
  expect(setOut.mock.calls).toEqual([[true], [true], [true], [true], [false]]);
});

it('evacuated it is out with the next check, though its nodes serve', async () => {
  await serve();
  await control.setEvacuated(REGION, true);
  await health.check();
  expect(setOut.mock.calls).toEqual([[true]]);
  await control.setEvacuated(REGION, false);
  for (let n = 0; n < 5; n += 1) await health.check();
  expect(setOut.mock.lastCall).toEqual([false]);
});

it('when the DNS does not take it, the next check tells it again', async () => {
  await serve();
  await control.setEvacuated(REGION, true);
  setOut.mockRejectedValueOnce(new Error('throttled'));
  await expect(health.check()).rejects.toThrow('throttled');
  await health.check();
  expect(setOut.mock.calls).toEqual([[true], [true]]);
});
