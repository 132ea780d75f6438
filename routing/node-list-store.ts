// A large region's node list in one item, so that those who place sessions need not read an item of every node.

import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import * as z from 'zod';
import { incarnation } from './names.ts';
import { type NodeRecord, nodeRecord } from './node-record.ts';

/**
 * Regions of fewer nodes have no such list: all their items are one read of some 12 kB, as cheap as the list would be,
 * and writing it every second would cost more than the reads.
 */
export const SMALL_REGION = 20;

/** One partition serves 3,000 read units a second (DynamoDB's quota), whoever reads: copies share them out. */
const COPIES = 4;
/** DynamoDB's item is at most 400 kB; at some 130 bytes a node that is 3,000 nodes. Beyond, readers scan. */
const MAX_BYTES = 390_000;
/** Seconds that a list which nobody writes any more stays. */
const LIFE = 3_600;

export interface NodeList {
  /** When the registry was read for it, ms since 1970. */
  at: number;
  nodes: NodeRecord[];
}

/** The node that writes the list now, and when it last did, ms since 1970. */
const keeper = z.object({ by: incarnation, at: z.number().int() });
export type Keeper = z.infer<typeof keeper>;

const copy = z.object({ at: z.number().int(), nodes: z.instanceof(Uint8Array) });

const KEEPER = { pk: 'NODE-LIST' };
const copyKey = (index: number) => ({ pk: `NODE-LIST#${index}` });

const [zip, unzip] = [promisify(gzip), promisify(gunzip)];

/** Undefined where it is not JSON that was zipped. */
async function unpacked(zipped: Uint8Array): Promise<unknown> {
  try {
    return JSON.parse((await unzip(zipped)).toString());
  } catch {
    return undefined;
  }
}

export class NodeListStore {
  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;

  /** @param table the region's own, where its nodes' items are. */
  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  /** The list as it was last written, however long ago; undefined where none is. */
  async read(): Promise<NodeList | undefined> {
    const Key = copyKey(Math.floor(Math.random() * COPIES));
    const { Item } = await this.#client.send(new GetCommand({ TableName: this.#table, Key }));
    // One that another release wrote so that this one cannot read it counts as none.
    const written = copy.safeParse(Item);
    if (!written.success) return undefined;
    const records = await unpacked(written.data.nodes);
    const nodes = z.array(nodeRecord).safeParse(records);
    return nodes.success ? { at: written.data.at, nodes: nodes.data } : undefined;
  }

  /** Who writes the list; undefined when nobody has yet. */
  async keeper(): Promise<Keeper | undefined> {
    const { Item } = await this.#client.send(new GetCommand({ TableName: this.#table, Key: KEEPER }));
    return keeper.safeParse(Item).data;
  }

  /**
   * Takes the writing over, or goes on with it.
   * @param seen the present keeper, as it was read or last written.
   * @returns false when another was faster.
   */
  async take(next: Keeper, seen: Keeper | undefined): Promise<boolean> {
    try {
      await this.#client.send(
        new PutCommand({
          TableName: this.#table,
          Item: { ...KEEPER, ...next, expiresAt: Math.floor(next.at / 1_000) + LIFE },
          ...(seen === undefined
            ? { ConditionExpression: 'attribute_not_exists(pk)' }
            : {
                ConditionExpression: '#by = :by AND #at = :at',
                ExpressionAttributeNames: { '#by': 'by', '#at': 'at' },
                ExpressionAttributeValues: { ':by': seen.by, ':at': seen.at },
              }),
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  }

  /** Writes the list: for its keeper. One that is too long for an item is left out. */
  async write({ at, nodes }: NodeList): Promise<void> {
    const zipped = await zip(JSON.stringify(nodes));
    if (zipped.length > MAX_BYTES) return;
    const expiresAt = Math.floor(at / 1_000) + LIFE;
    await Promise.all(
      Array.from({ length: COPIES }, (_, index) =>
        this.#client.send(
          new PutCommand({
            TableName: this.#table,
            Item: { ...copyKey(index), at, nodes: zipped, expiresAt },
          }),
        ),
      ),
    );
  }
}
