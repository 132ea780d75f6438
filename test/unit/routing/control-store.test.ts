// The control table: API secrets are known by their hash, never stored; a ticket is spent once.

import { randomUUID } from 'node:crypto';
import { GetCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { CONTROL_TABLE, type Database, startDatabase } from '#local/database.ts';
import { DynamoControlStore } from '#routing/control-store.ts';

let database: Database;
let store: DynamoControlStore;

beforeAll(async () => {
  database = await startDatabase({
    regions: [],
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  store = new DynamoControlStore(database.documents, CONTROL_TABLE);
});
afterAll(() => database.close());

it('knows a secret that was added, and its account', async () => {
  await store.addSecret('s3cret', { account: 'acme', label: 'ci' });
  expect(await store.accountOf('s3cret')).toEqual({ account: 'acme', label: 'ci' });
});

it('knows no other secret', async () => {
  for (const other of ['s3cret ', 'S3cret', 's3cre', '', '\u0000'])
    expect(await store.accountOf(other)).toBeUndefined();
});

it('does not store the secret itself', async () => {
  await store.addSecret('plain-to-see', { account: 'acme', label: 'ci' });
  const { Items = [] } = await database.documents.send(new ScanCommand({ TableName: CONTROL_TABLE }));
  expect(Items.length).toBeGreaterThan(0);
  expect(JSON.stringify(Items)).not.toContain('plain-to-see');
});

it('a ticket is spent once, and remembered for longer than it is good', async () => {
  const ticket = randomUUID();
  const spent = await Promise.all([1, 2, 3].map(() => store.spendTicket(ticket)));
  expect(spent.toSorted()).toEqual([false, false, true]);
  expect(await store.spendTicket(randomUUID())).toBe(true);
  const { Item } = await database.documents.send(
    new GetCommand({ TableName: CONTROL_TABLE, Key: { pk: `TICKET#${ticket}`, sk: 'TICKET' } }),
  );
  expect(Item?.expiresAt - Date.now() / 1_000).toBeGreaterThan(60);
});

it('a write that the SDK makes again, its answer lost, is still the first', async () => {
  const { middlewareStack } = database.documents;
  middlewareStack.add(
    (next) => async (request) => {
      await next(request);
      return next(request);
    },
    // Within the retries, around what is sent.
    { step: 'finalizeRequest', priority: 'low', name: 'again' },
  );
  onTestFinished(() => void middlewareStack.remove('again'));
  expect(await store.spendTicket(randomUUID())).toBe(true);
});
