// The control table: who may call the control API, which regions are out, and which tickets are spent. Secrets are stored
// as their SHA-256 only.

import { createHash, randomUUID } from 'node:crypto';
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import {
  DeleteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
} from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { type RegionStanding, regionStanding } from './region-standing.ts';

const secretItem = z.object({ account: z.string(), label: z.string() });
export type Account = z.infer<typeof secretItem>;

export interface ControlStore {
  /** The account that an API secret belongs to, or undefined. */
  accountOf(apiSecret: string): Promise<Account | undefined>;
  /** Makes a secret known. The secret is high-entropy random, so a plain hash is enough: there is nothing to guess. */
  addSecret(apiSecret: string, account: Account): Promise<void>;
  /** What every region says of itself, and which ones an operator has evacuated. */
  regions(): Promise<RegionStates>;
  /** An operator's word; the last one counts, wherever it was said. */
  setEvacuated(region: string, evacuated: boolean): Promise<void>;
  /**
   * Spends a redirect's ticket. Good within one region, where alone a ticket is taken: other regions hear of it later.
   * @returns false when it was spent before.
   */
  spendTicket(id: string): Promise<boolean>;
}

export interface RegionStates {
  standings: RegionStanding[];
  evacuated: Set<string>;
}

/** One partition for all regions: they are few, and asked for together. */
const REGIONS = 'REGIONS';
const STANDING = 'STANDING#';
const EVACUATION = 'EVACUATION#';

/** Partition keys of spent tickets: all that the whip function may write (infra/region-stack.ts). */
export const TICKET = 'TICKET#';
/** Seconds for which a spent ticket is remembered: far longer than one is good for, whatever the clocks say. */
const SPENT_TICKET_LIFE = 3_600;

/** Where a region's standing is. */
export const standingKey = (region: string) => ({ pk: REGIONS, sk: `${STANDING}${region}` });

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

  async regions(): Promise<RegionStates> {
    const { Items = [] } = await this.#client.send(
      new QueryCommand({
        TableName: this.#table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': REGIONS },
      }),
    );
    const keys = Items.map(({ sk }) => String(sk));
    return {
      standings: Items.filter(({ sk }) => String(sk).startsWith(STANDING)).map((item) =>
        regionStanding.parse(item),
      ),
      evacuated: new Set(
        keys.filter((sk) => sk.startsWith(EVACUATION)).map((sk) => sk.slice(EVACUATION.length)),
      ),
    };
  }

  async setEvacuated(region: string, evacuated: boolean): Promise<void> {
    const Key = { pk: REGIONS, sk: `${EVACUATION}${region}` };
    const Item = { ...Key, since: new Date().toISOString() };
    if (evacuated) await this.#client.send(new PutCommand({ TableName: this.#table, Item }));
    else await this.#client.send(new DeleteCommand({ TableName: this.#table, Key }));
  }

  async spendTicket(id: string): Promise<boolean> {
    // The SDK makes a request again whose answer was lost: our own write must not count as another's.
    const spender = randomUUID();
    try {
      await this.#client.send(
        new PutCommand({
          TableName: this.#table,
          Item: {
            pk: `${TICKET}${id}`,
            sk: 'TICKET',
            spender,
            expiresAt: Math.floor(Date.now() / 1_000) + SPENT_TICKET_LIFE,
          },
          ConditionExpression: 'attribute_not_exists(pk) OR spender = :spender',
          ExpressionAttributeValues: { ':spender': spender },
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  }
}
