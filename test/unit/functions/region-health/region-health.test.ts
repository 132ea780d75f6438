// A region's check on real tables: what it reads and writes, and that the DNS follows.

import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { log } from '#functions/log.ts';
import { RegionHealth } from '#functions/region-health/region-health.ts';
import { CONTROL_TABLE, type Database, nodesTable, startDatabase } from '#local/database.ts';
import { DynamoControlStore } from '#routing/control-store.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { nodeRecord } from '#test/unit/routing/samples.ts';

const REGION = 'eu-west-1';
let database: Database;
let control: DynamoControlStore;
let nodes: DynamoNodeRegistry;
const setOut = vi.fn(async (_out: boolean) => undefined);
let health: RegionHealth;

beforeAll(() => {
  vi.spyOn(log, 'warn').mockImplementation(() => undefined);
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
  health = new RegionHealth({ region: REGION, nodes, control, dns: { setOut }, deadAfter: 3_000 });
  await control.setStanding({ region: 'us-east-1', out: false, streak: 0, changedAt: 1 });
});

async function serve(): Promise<void> {
  const heartbeatAt = Date.now() + 60_000;
  await nodes.beat(nodeRecord({ nodeId: 'i-origin', group: 'origin', heartbeatAt }));
  await nodes.beat(nodeRecord({ nodeId: 'i-edge', heartbeatAt }));
}
const own = async () => (await control.regions()).standings.find(({ region }) => region === REGION);

it('a region with nodes is in, and says so once', async () => {
  await serve();
  const { changedAt } = await health.check();
  expect(await own()).toEqual({ region: REGION, out: false, streak: 0, changedAt });
  const write = vi.spyOn(control, 'setStanding');
  await health.check();
  expect(write).not.toHaveBeenCalled();
  expect(setOut.mock.calls).toEqual([[false], [false]]);
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
