// A world whose nodes feed one child each: legs make a chain, never a loop, and pictures come through it.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorld, type World } from '#local/world.ts';
import { useSessions } from './sessions.ts';
import { eventually, newStream, nodesOf, readTree } from './support.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({
    regions: ['us-east-1', 'eu-west-1'],
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    // One viewer a node, so that the second needs another edge.
    env: { MERIDIAN_MAX_CHILDREN: '1', MERIDIAN_MAX_VIEWERS: '1', MERIDIAN_CPU_LIMIT: '1' },
  });
});
afterAll(() => world.close());

const region = (index: number) => {
  const found = world.regions[index];
  if (!found) throw new Error(`no region ${index}`);
  return found;
};
const tree = (stream: string) => readTree(stream, region(1), world.apiSecret);
const { publish, watch } = useSessions({ publishToken: () => world.publishToken, tree });

test('a parent that feeds enough children names one of them as parent, within a region and across', async () => {
  const stream = newStream('chain');
  await publish(stream, region(0));
  for (const where of [region(0), region(0), region(1), region(1)])
    await (await watch(stream, where)).watch(3);
  const state = await eventually(
    () => tree(stream),
    (now) => now?.regions.flatMap(({ nodes }) => nodes).filter(({ viewers }) => viewers === 1).length === 4,
  );
  if (!state) throw new Error('not live');
  const nodes = [region(0), region(1)].flatMap((where) => nodesOf(state, where));
  expect(nodes).toHaveLength(5);
  const parents = nodes.map(({ parent }) => parent?.nodeId ?? 'none');
  // Nobody has two children, and from every node the way up ends at the origin.
  expect(new Set(parents).size).toBe(5);
  const hops = nodes.map((node) => {
    const seen = new Set<string>();
    for (let at: typeof node | undefined = node; at?.parent; ) {
      expect(seen.has(at.nodeId)).toBe(false);
      seen.add(at.nodeId);
      const { nodeId }: { nodeId: string } = at.parent;
      at = nodes.find((candidate) => candidate.nodeId === nodeId);
    }
    return seen.size;
  });
  expect(hops.sort()).toEqual([0, 1, 2, 3, 4]);
});
