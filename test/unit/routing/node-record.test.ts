// Who is alive, and how full a node is.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { aliveNodes, fullness } from '#routing/node-record.ts';
import { nodeRecord } from './samples.ts';

const NOW = 1_790_000_000_000;
const DEAD_AFTER = 3_000;
const beaten = (nodeId: string, ago: number) => nodeRecord({ nodeId, heartbeatAt: NOW - ago });
const idsAlive = (...nodes: ReturnType<typeof beaten>[]) =>
  aliveNodes(nodes, NOW, DEAD_AFTER).map(({ nodeId }) => nodeId);

it('a node is dead when its last heartbeat is as old as the limit', () => {
  expect(idsAlive(beaten('i-fresh', 0), beaten('i-late', 2_999), beaten('i-dead', 3_000))).toEqual([
    'i-fresh',
    'i-late',
  ]);
});

it('if every heartbeat is stale nobody is dead', () => {
  expect(idsAlive(beaten('i-1', 3_000), beaten('i-2', 86_400_000))).toEqual(['i-1', 'i-2']);
});

it('one fresh heartbeat shows that the registry works, and the others are dead', () => {
  expect(idsAlive(beaten('i-1', 60_000), beaten('i-2', 0), beaten('i-3', 60_000))).toEqual(['i-2']);
});

it('a heartbeat from a clock that is ahead is fresh', () => {
  expect(idsAlive(beaten('i-ahead', -500), beaten('i-dead', 5_000))).toEqual(['i-ahead']);
});

it('an empty registry has nobody', () => {
  expect(aliveNodes([], NOW, DEAD_AFTER)).toEqual([]);
});

it('never counts a fleet as dead, and leaves the list that it was given as it is', () => {
  const ages = fc.array(fc.integer({ min: -10_000, max: 10_000 }), { minLength: 1 });
  fc.assert(
    fc.property(ages, (given) => {
      const nodes = given.map((ago, index) => beaten(`i-${index}`, ago));
      const before = [...nodes];
      const alive = aliveNodes(nodes, NOW, DEAD_AFTER);
      expect(alive.length).toBeGreaterThan(0);
      expect(nodes).toEqual(before);
      expect(alive).not.toBe(nodes);
    }),
  );
});

it('is as full as the fuller of its sessions and its CPU', () => {
  const node = nodeRecord({
    load: { publishers: 1, viewers: 30, legs: 0, cpu: 0.4, memory: 0 },
    limits: { publishers: 10, viewers: 40, cpu: 0.8 },
  });
  expect(fullness(node, 'viewers')).toBe(0.75);
  expect(fullness(node, 'publishers'), 'its CPU').toBe(0.5);
});

it('a node that takes no session of a kind is full of that kind', () => {
  const node = nodeRecord({ limits: { publishers: 0, viewers: 10, cpu: 1 } });
  expect(fullness(node, 'publishers')).toBe(1);
  expect(fullness(node, 'viewers')).toBe(0);
});
