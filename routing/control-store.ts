// The control table: who may call the control API. Secrets are stored as their SHA-256 only.

import { createHash } from 'node:crypto';
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { z } from 'zod';

const secretItem = z.object({ account: z.string(), label: z.string() });
export type Account = z.infer<typeof secretItem>;

export interface ControlStore {
  /** The account that an API secret belongs to, or undefined. */
  accountOf(apiSecret: string): Promise<Account | undefined>;
  /** Makes a secret known. The secret is high-entropy random, so a plain hash is enough: there is nothing to guess. */
  addSecret(apiSecret: string, account: Account): Promise<void>;
}

const keyOf = (apiSecret: string) => ({
  pk: `SECRET#${createHash('sha256').update(apiSecret).digest('hex')}`,
  sk: 'SECRET',
});

export class DynamoControlStore implements ControlStore {
  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;

  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  async accountOf(apiSecret: string): Promise<Account | undefined> {
    const { Item } = await this.#client.send(
      new GetCommand({ TableName: this.#table, Key: keyOf(apiSecret) }),
    );
    return Item === undefined ? undefined : secretItem.parse(Item);
  }

  async addSecret(apiSecret: string, account: Account): Promise<void> {
    await this.#client.send(
      new PutCommand({ TableName: this.#table, Item: { ...keyOf(apiSecret), ...account } }),
    );
  }
}
