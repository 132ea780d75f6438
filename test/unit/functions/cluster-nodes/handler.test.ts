// The nodes of all regions in Ant Media's shape.

import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { log } from '#functions/log.ts';
import { nodeRecord } from '#test/unit/routing/samples.ts';
import { call, type Handler } from '../events.ts';
import { REGION, startRegion, type TestRegion } from '../region.ts';

let region: TestRegion;
let handler: Handler;
const now = Date.now();
const load = { publishers: 0, viewers: 0, legs: 0, cpu: 0.256, memory: 123_456 };
const registered = [
  nodeRecord({ nodeId: 'i-living', heartbeatAt: now, load }),
  nodeRecord({ nodeId: 'i-dead', heartbeatAt: now - 120_000 }),
];

beforeAll(async () => {
  region = await startRegion();
  ({ handler } = await import('#functions/cluster-nodes/handler.ts'));
  await Promise.all(registered.map((record) => region.registry.beat(record)));
});
afterAll(() => {
  vi.restoreAllMocks();
  return Promise.all(registered.map((record) => region.registry.remove(record)));
});
beforeEach(() => {
  region.other.says = undefined;
  region.other.asked.length = 0;
  vi.spyOn(log, 'warn').mockImplementation(() => undefined);
});

const get = (path = '', secret = region.secret) =>
  call(handler, {
    method: 'GET',
    path: `/rest/v2/cluster-nodes${path}`,
    headers: { Authorization: `Bearer ${secret}` },
  });

const living = {
  id: 'i-living',
  ip: '203.0.113.1',
  lastUpdateTime: now,
  memory: '123456',
  cpu: '26',
  dbQueryAveargeTimeMs: 2,
  status: 'alive',
  nodeGroup: REGION,
};
const elsewhere = { ...living, id: 'i-elsewhere', nodeGroup: 'us-east-1' };

it('lists every region’s nodes, dead ones as dead', async () => {
  region.other.says = [elsewhere];
  const { status, json } = await get();
  expect(status).toBe(200);
  expect(json).toHaveLength(3);
  expect(json).toEqual(
    expect.arrayContaining([living, elsewhere, expect.objectContaining({ id: 'i-dead', status: 'dead' })]),
  );
});

it('counts them', async () => {
  region.other.says = [elsewhere];
  expect((await get('/count')).json).toEqual({ number: 3 });
});

it('finds one by its id, in whichever region, and says 404 of another', async () => {
  region.other.says = [elsewhere];
  expect((await get('/i-elsewhere')).json).toEqual(elsewhere);
  expect(await get('/i-nowhere')).toMatchObject({ status: 404, json: { success: false } });
});

it('whichever path was called, the others are asked for their lists', async () => {
  region.other.says = [];
  for (const path of ['', '/count', '/i-living']) await get(path);
  expect(region.other.asked.map(({ url }) => url)).toEqual(
    Array(3).fill('/rest/v2/cluster-nodes?region=self'),
  );
});

it('a region that does not answer, or not in this form, is left out', async () => {
  expect((await get()).json).toHaveLength(2);
  region.other.says = [{ id: 'i-odd' }];
  expect((await get()).json).toHaveLength(2);
});

it('a region asked for its own part asks no other', async () => {
  expect((await get('?region=self')).json).toHaveLength(2);
  expect(region.other.asked).toEqual([]);
});

it('needs an API secret', async () => {
  for (const path of ['', '/count', '/i-living']) {
    expect(await get(path, 'guessed')).toMatchObject({
      status: 401,
      json: { success: false, message: 'Unauthorized' },
    });
  }
});
