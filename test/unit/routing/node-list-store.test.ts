// A large region's node list and its keeper, on a real DynamoDB-compatible server.

import { gzipSync } from 'node:zlib';
import { PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, nodesTable, startDatabase } from '#local/database.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { NodeListStore } from '#routing/node-list-store.ts';
import { nodeRecord } from './samples.ts';

const REGIONS = ['eu-west-1', 'us-east-1', 'ap-south-1', 'sa-east-1'];
let database: Database;

beforeAll(async () => {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  database = await startDatabase({ regions: REGIONS, credentials });
});
afterAll(() => database.close());

const storeOf = (region: string) => new NodeListStore(database.documents, nodesTable(region));

it('what the keeper wrote is read, from whichever copy; of a node that cannot be read there is no list', async () => {
  const store = storeOf('eu-west-1');
  expect(await store.read()).toBeUndefined();
  const nodes = Array.from({ length: 500 }, (_, index) => nodeRecord({ nodeId: `i-${index}` }));
  await store.write({ at: 1_790_000_000_000, nodes });
  const read = await Promise.all(Array.from({ length: 20 }, () => store.read()));
  expect(new Set(read.map((list) => JSON.stringify(list)))).toEqual(
    new Set([JSON.stringify({ at: 1_790_000_000_000, nodes })]),
  );
  // The registry's own list is of nodes, not of lists.
  expect(await new DynamoNodeRegistry(database.documents, nodesTable('eu-west-1')).list()).toEqual([]);
});

it.each([
  ['in another type', 'text'],
  ['packed in another way', Buffer.from('not zipped')],
  ['that is no JSON', gzipSync('not JSON')],
])('a list of another release, %s, counts as none', async (_, nodes) => {
  const Items = [0, 1, 2, 3].map((index) => ({ pk: `NODE-LIST#${index}`, at: 1, nodes }));
  for (const Item of Items)
    await database.documents.send(new PutCommand({ TableName: nodesTable('sa-east-1'), Item }));
  expect(await storeOf('sa-east-1').read()).toBeUndefined();
});

it('of several who take over from the same keeper one does', async () => {
  const store = storeOf('us-east-1');
  expect(await store.keeper()).toBeUndefined();
  const first = { by: 'start-no-1', at: 1_000 };
  const outcomes = await Promise.all([
    store.take(first, undefined),
    store.take({ by: 'start-no-2', at: 1_000 }, undefined),
  ]);
  expect(outcomes.filter(Boolean)).toHaveLength(1);
  const seen = await store.keeper();
  expect(await store.take({ by: 'start-no-3', at: 2_000 }, { by: 'start-no-9', at: 1_000 })).toBe(false);
  expect(await store.take({ by: 'start-no-3', at: 2_000 }, seen)).toBe(true);
  expect(await store.take({ by: 'start-no-4', at: 3_000 }, seen), 'who saw the keeper before').toBe(false);
  expect(await store.keeper()).toEqual({ by: 'start-no-3', at: 2_000 });
});

it('a list that is too long for an item is left out', async () => {
  const store = storeOf('ap-south-1');
  const nodes = Array.from({ length: 5_000 }, (_, index) =>
    nodeRecord({ nodeId: `i-${index}`, fingerprint: hex(index), incarnation: hex(index + 5_000) }),
  );
  await store.write({ at: 1_790_000_000_000, nodes });
  expect(await store.read()).toBeUndefined();
});

/** 64 digits that do not compress. */
const hex = (seed: number): string =>
  Array.from({ length: 8 }, (_, index) =>
    (Math.imul(seed * 8 + index + 1, 2_654_435_761) >>> 0).toString(16).padStart(8, '0'),
  ).join('');
