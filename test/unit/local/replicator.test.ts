// The replicator keeps a global table's promises, and only those: late, in any order, the last writer wins.

import { once } from 'node:events';
import { DeleteCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nodesTable, STREAMS_TABLE } from '#local/database.ts';
import { anyLag, Replicator } from '#local/replicator.ts';

const SOON = anyLag({ least: 0, most: 5, seed: 1 });
const [A, B] = ['us-east-1', 'eu-west-1'];

let replicator: Replicator;
beforeAll(async () => {
  replicator = await Replicator.start({ regions: [A, B], lag: SOON });
});
afterEach(() => {
  replicator.lag = SOON;
});
afterAll(() => replicator.close());

const TableName = STREAMS_TABLE;
let number = 0;
const newKey = () => {
  number += 1;
  return { pk: `item-${number}`, sk: 'x' };
};
type Key = ReturnType<typeof newKey>;

const put = (region: string, key: Key, value: number) =>
  replicator.database(region).documents.send(new PutCommand({ TableName, Item: { ...key, value } }));
const remove = (region: string, key: Key) =>
  replicator.database(region).documents.send(new DeleteCommand({ TableName, Key: key }));
async function read(region: string, { pk }: Key): Promise<unknown> {
  const query = new QueryCommand({
    TableName,
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': pk },
    ConsistentRead: true,
  });
  const { Items } = await replicator.database(region).documents.send(query);
  return Items?.[0]?.value;
}
/** Of the next writes, each takes so many ms. */
function lags(...row: number[]): void {
  const left = [...row];
  replicator.lag = () => left.shift() ?? 0;
}

describe('a write', () => {
  test('is in its own region at once, in the other one later', async () => {
    const key = newKey();
    // Longer than a busy machine takes for the reads.
    lags(1_000);
    await put(A, key, 1);
    expect([await read(A, key), await read(B, key)]).toEqual([1, undefined]);
    await replicator.settled();
    expect(await read(B, key)).toBe(1);
  });

  test('that is overtaken by a later one of its item is dropped', async () => {
    const key = newKey();
    lags(1_000, 5);
    await put(A, key, 1);
    await put(A, key, 2);
    const [first] = await once(replicator, 'copied');
    expect(first).toMatchObject({ to: B, taken: true, write: { item: { value: 2 } } });
    const [second] = await once(replicator, 'copied');
    expect(second).toMatchObject({ to: B, taken: false, write: { item: { value: 1 } } });
    expect(await read(B, key)).toBe(2);
  });

  test('whose condition does not hold travels nowhere', async () => {
    const key = newKey();
    await put(A, key, 1);
    await replicator.settled();
    const update = new UpdateCommand({
      TableName,
      Key: key,
      UpdateExpression: 'SET #v = :new',
      ConditionExpression: '#v = :old',
      ExpressionAttributeNames: { '#v': 'value' },
      ExpressionAttributeValues: { ':new': 2, ':old': 3 },
    });
    lags(60_000);
    await expect(replicator.database(A).documents.send(update)).rejects.toThrow();
    // Were it on its way, this would not end.
    await replicator.settled();
  });

  test('to a regional table stays there', async () => {
    lags(60_000);
    const Item = { pk: 'node' };
    await replicator.database(A).documents.send(new PutCommand({ TableName: nodesTable(A), Item }));
    await replicator.settled();
  });
});

test('of two regions’ writes the later one stands in both, whichever arrives first', async () => {
  const key = newKey();
  lags(5, 60);
  await put(A, key, 1);
  await put(B, key, 2);
  await replicator.settled();
  expect([await read(A, key), await read(B, key)]).toEqual([2, 2]);
});

test('what was deleted does not rise again by an older write that comes late', async () => {
  const key = newKey();
  lags(60, 5);
  await put(A, key, 1);
  await remove(A, key);
  await replicator.settled();
  expect([await read(A, key), await read(B, key)]).toEqual([undefined, undefined]);
});

test('a region that is held gets nothing and gives nothing, until it is let go', async () => {
  const [ofA, ofB, free] = [newKey(), newKey(), newKey()];
  replicator.hold(B);
  lags(0, 0);
  await put(A, ofA, 1);
  await put(B, ofB, 1);
  // Waits as long as it likes: nothing may come but by letting go.
  let copied = 0;
  const count = () => {
    copied += 1;
  };
  replicator.on('copied', count);
  lags(30);
  await put(A, free, 1);
  expect([await read(B, ofA), await read(A, ofB)]).toEqual([undefined, undefined]);
  expect(copied).toBe(0);
  replicator.letGo(B);
  await replicator.settled();
  replicator.off('copied', count);
  expect(copied).toBe(3);
  expect([await read(B, ofA), await read(A, ofB), await read(B, free)]).toEqual([1, 1, 1]);
});

test('one that closes leaves nothing on its way, and says so to who waits', async () => {
  const closing = await Replicator.start({ regions: [A, B], lag: () => 60_000 });
  await closing
    .database(A)
    .documents.send(new PutCommand({ TableName, Item: { pk: 'late', sk: 'x', value: 1 } }));
  const waiting = expect(closing.settled()).rejects.toThrow();
  await closing.close();
  await waiting;
});
