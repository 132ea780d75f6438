// Region health: 200 only while both groups have a serving node with room.

import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { NodeRecord } from '#routing/node-record.ts';
import { nodeRecord } from '#test/unit/routing/samples.ts';
import { call, type Handler } from '../events.ts';
import { REGION, startRegion, type TestRegion } from '../region.ts';

let region: TestRegion;
let handler: Handler;
const beaten: NodeRecord[] = [];

beforeAll(async () => {
  region = await startRegion();
  ({ handler } = await import('#functions/healthz/handler.ts'));
});
afterEach(async () => {
  for (const record of beaten.splice(0)) await region.registry.remove(record);
});

async function register(nodeId: string, changes: Partial<NodeRecord> = {}): Promise<void> {
  const record = nodeRecord({ nodeId, heartbeatAt: Date.now(), ...changes });
  beaten.push(record);
  await region.registry.beat(record);
}
const health = (method = 'GET') => call(handler, { method, path: '/healthz' });
const { load, limits } = nodeRecord();

it('is healthy with an origin and an edge that serve', async () => {
  await register('i-origin', { group: 'origin' });
  await register('i-edge');
  expect(await health()).toMatchObject({
    status: 200,
    json: {
      status: 'healthy',
      region: 'eu-west-1',
      groups: { origin: { serving: 1, withRoom: 1 }, edge: { serving: 1, withRoom: 1 } },
    },
  });
  expect(await health('HEAD')).toMatchObject({ status: 200, body: '' });
});

it('is unhealthy without a node', async () => {
  expect(await health()).toMatchObject({ status: 503, json: { status: 'unhealthy' } });
  expect(await health('HEAD')).toMatchObject({ status: 503, body: '' });
});

it('is unhealthy when no heartbeat is fresh, though then nobody counts as dead', async () => {
  await register('i-origin', { group: 'origin', heartbeatAt: Date.now() - 120_000 });
  await register('i-edge', { heartbeatAt: Date.now() - 120_000 });
  expect((await health()).status).toBe(503);
});

it.each<[string, Partial<NodeRecord>]>([
  ['drains', { state: 'DRAINING' }],
  ['is full of viewers', { load: { ...load, viewers: limits.viewers } }],
  ['is at its CPU limit', { load: { ...load, cpu: limits.cpu } }],
  ['is dead', { heartbeatAt: Date.now() - 120_000 }],
  ['is no edge', { group: 'origin' }],
])('is unhealthy when its only edge %s', async (_, changes) => {
  await register('i-origin', { group: 'origin' });
  await register('i-edge', changes);
  expect((await health()).status).toBe(503);
});

it('is unhealthy while the region is out of the global name, though its nodes serve', async () => {
  await register('i-origin', { group: 'origin' });
  await register('i-edge');
  const out = { region: REGION, out: true, streak: 0, changedAt: 1, checkedAt: 1 };
  await region.standings.write(out, undefined);
  expect(await health()).toMatchObject({ status: 503, json: { status: 'unhealthy', out: true } });
  await region.standings.write({ ...out, out: false }, out);
  await vi.waitFor(async () => expect((await health()).status).toBe(200));
});
