// The node registry on a real DynamoDB-compatible server.

import { DeleteCommand, GetCommand, PutCommand, paginateScan } from '@aws-sdk/lib-dynamodb';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Database, nodesTable, startDatabase } from '#local/database.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { nodeRecord } from './samples.ts';

const REGION = 'eu-west-1';
let database: Database;
let registry: DynamoNodeRegistry;

beforeAll(async () => {
  database = await startDatabase({
    regions: [REGION, 'us-east-1'],
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  registry = new DynamoNodeRegistry(database.documents, nodesTable(REGION));
});
afterAll(() => database.close());
/** Every test begins with an empty table. */
afterEach(async () => {
  const TableName = nodesTable(REGION);
  for await (const { Items = [] } of paginateScan({ client: database.documents }, { TableName })) {
    await Promise.all(
      Items.map(({ pk }) => database.documents.send(new DeleteCommand({ TableName, Key: { pk } }))),
    );
  }
});

const ids = async () => (await registry.list()).map(({ nodeId }) => nodeId).toSorted();

it('a node is listed as it last beat, until it is removed', async () => {
  const first = nodeRecord({ nodeId: 'i-1' });
  const later = { ...first, heartbeatAt: first.heartbeatAt + 1_000, state: 'DRAINING' as const };
  await registry.beat(first);
  expect(await registry.list()).toEqual([first]);
  await registry.beat(later);
  expect(await registry.list()).toEqual([later]);
  await registry.remove(later);
  expect(await registry.list()).toEqual([]);
});

it('an older incarnation cannot remove a newer one’s item', async () => {
  const older = nodeRecord({ nodeId: 'i-2', incarnation: 'start-no-1' });
  const newer = nodeRecord({ nodeId: 'i-2', incarnation: 'start-no-2' });
  await registry.beat(older);
  await registry.beat(newer);
  await registry.remove(older);
  expect(await registry.list()).toEqual([newer]);
  await registry.remove(newer);
  expect(await registry.list()).toEqual([]);
});

it('removing a node that is not there is no error', async () => {
  await registry.remove({ nodeId: 'i-never', incarnation: 'start-no-1' });
  expect(await registry.list()).toEqual([]);
});

it('an item goes by TTL an hour after the last heartbeat', async () => {
  const record = nodeRecord({ nodeId: 'i-3', heartbeatAt: 1_790_000_000_999 });
  await registry.beat(record);
  const get = new GetCommand({ TableName: nodesTable(REGION), Key: { pk: 'i-3' } });
  expect((await database.documents.send(get)).Item).toMatchObject({ expiresAt: 1_790_000_000 + 3_600 });
});

it('lists a fleet that does not fit one page of a scan, dead nodes included', async () => {
  // 60 items of some 25 kB: more than the 1 MB at which DynamoDB ends a page.
  const mediaAddresses = Array.from({ length: 1_000 }, (_, n) => `2001:db8:0:0:0:0:0:${n}`);
  const nodeIds = Array.from({ length: 60 }, (_, n) => `i-many-${n}`).toSorted();
  await Promise.all(
    nodeIds.map((nodeId) => registry.beat(nodeRecord({ nodeId, mediaAddresses, heartbeatAt: 0 }))),
  );
  expect(await ids()).toEqual(nodeIds);
});

it('another region’s nodes are in another table', async () => {
  const elsewhere = new DynamoNodeRegistry(database.documents, nodesTable('us-east-1'));
  await registry.beat(nodeRecord({ nodeId: 'i-here' }));
  expect(await elsewhere.list()).toEqual([]);
});

it('an item of a newer release does not hide the other nodes', async () => {
  const good = nodeRecord({ nodeId: 'i-good' });
  await registry.beat(good);
  const newer = { ...nodeRecord({ nodeId: 'i-newer' }), pk: 'i-newer', state: 'EVACUATING' };
  await database.documents.send(new PutCommand({ TableName: nodesTable(REGION), Item: newer }));
  expect(await registry.list()).toContainEqual(good);
});
