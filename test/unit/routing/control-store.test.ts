// API secrets in the control table: known by their hash, never stored.

import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
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
