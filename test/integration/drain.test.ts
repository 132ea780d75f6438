// A node whose instance is to end: it takes nothing new, gives its roles away, keeps its viewers, and ends when empty.

import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodesTable } from '#local/database.ts';
import { startWorld, type World } from '#local/world.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { useSessions } from './sessions.ts';
import { crossings, eventually, newStream, nodesOf, readTree, regionAt } from './support.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({
    regions: ['us-east-1', 'eu-west-1'],
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    env: { MERIDIAN_CPU_LIMIT: '1' },
  });
});
afterAll(() => world.close());

const region = (index: number) => regionAt(world, index);
const tree = (stream: string) => readTree(stream, region(1), world.apiSecret);
const { publish, watch, watchOnTwo } = useSessions({ publishToken: () => world.publishToken, tree });

test('a secondary origin drains: its role moves, its viewers stay, and it ends with the last of them', async () => {
  const stream = newStream('drain');
  await publish(stream, region(0));
  const viewers = await watchOnTwo(stream, region(1), 1);
  await Promise.all(viewers.map((viewer) => viewer.watch(3)));
  const [draining] = crossings((await tree(stream)) ?? never(), region(1));
  const node = world.nodes.find(({ nodeId }) => nodeId === draining?.nodeId) ?? never();

  const exited = once(node.child.process, 'exit');
  node.metadata.setTargetState('Terminated');
  const registry = new DynamoNodeRegistry(world.database(region(1).id).documents, nodesTable(region(1).id));
  await eventually(
    async () => (await registry.list()).find(({ nodeId }) => nodeId === node.nodeId)?.state,
    (state) => state === 'DRAINING',
  );
  // For a moment there may be none.
  await eventually(
    async () => crossings((await tree(stream)) ?? never(), region(1)).map(({ nodeId }) => nodeId),
    ([now, ...others]) => now !== undefined && now !== node.nodeId && others.length === 0,
  );
  for (const viewer of viewers) viewer.frames = 0;
  await Promise.all(viewers.map((viewer) => viewer.watch(10)));
  expect(viewers.map(({ connection }) => connection.connectionState)).toEqual(viewers.map(() => 'connected'));

  // Who comes now is served elsewhere.
  const here = async () =>
    nodesOf((await tree(stream)) ?? never(), region(1)).find(({ nodeId }) => nodeId === node.nodeId)?.viewers;
  const before = await here();
  for (let count = 0; count < 4; count += 1) viewers.push(await watch(stream, region(1)));
  expect(await here()).toBe(before);

  await Promise.all(viewers.map((viewer) => viewer.stop()));
  const [code] = await exited;
  expect(code).toBe(0);
  expect((await registry.list()).map(({ nodeId }) => nodeId)).not.toContain(node.nodeId);
});

test('SIGTERM to an origin drains too: its publisher and their viewers stay, a second one ends it', async () => {
  const stream = newStream('sigterm');
  const publisher = await publish(stream, region(0));
  const viewer = await watch(stream, region(0));
  await viewer.watch(3);
  const node = world.nodes.find(({ nodeId }) => nodeId === `${region(0).id}-origin-1`) ?? never();
  const exited = once(node.child.process, 'exit');
  node.child.process.kill('SIGTERM');
  const registry = new DynamoNodeRegistry(world.database(region(0).id).documents, nodesTable(region(0).id));
  await eventually(
    async () => (await registry.list()).find(({ nodeId }) => nodeId === node.nodeId)?.state,
    (state) => state === 'DRAINING',
  );
  viewer.frames = 0;
  await viewer.watch(20);
  expect(publisher.connection.connectionState).toBe('connected');
  // Nobody else may publish there now.
  await expect(publish(newStream('late'), region(0))).rejects.toMatchObject({ status: 503 });
  node.child.process.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});

function never(): never {
  throw new Error('not live');
}
