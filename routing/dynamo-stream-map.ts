// The stream map in a DynamoDB global table.

import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import {
  type DynamoDBDocumentClient,
  PutCommand,
  QueryCommand,
  ScanCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import type * as z from 'zod';
import {
  type Claim,
  isHeld,
  type OriginClaim,
  originClaim,
  type RegionClaim,
  regionClaim,
  type StreamClaims,
} from './claims.ts';
import { Problem } from './problem.ts';
import type { HeldClaims, ReadOptions, StreamMap } from './stream-map.ts';

/** How long a released claim stays, so that its epoch is still there for the next holder: a day, in seconds. */
const RELEASED_CLAIM_LIFE = 86_400;

const STREAM = 'STREAM#';
const partition = (stream: string) => `${STREAM}${stream}`;
/** Sorts after every key of a stream: region names are of small letters. */
const LAST_KEY = 'REGION#zzzz';

const keyOf = (claim: Claim) => ({
  pk: partition(claim.stream),
  sk: 'priority' in claim ? `ORIGIN#${claim.region}#${claim.priority}` : `REGION#${claim.region}`,
});

export class DynamoStreamMap implements StreamMap {
  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;

  /** @param table the global table's name (the same in every region). */
  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  async read(stream: string, { consistent = false }: ReadOptions = {}): Promise<StreamClaims> {
    // One page: a stream has an item per region and one per origin, some 200 bytes each, of a page's 1 MB.
    const { Items = [] } = await this.#client.send(
      new QueryCommand({
        TableName: this.#table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': partition(stream) },
        ConsistentRead: consistent,
      }),
    );
    return { stream, ...claimsOf(Items) };
  }

  claimOrigin(claim: OriginClaim, seen: OriginClaim | undefined): Promise<boolean> {
    return this.#claim(claim, seen);
  }

  claimRegion(claim: RegionClaim, seen: RegionClaim | undefined): Promise<boolean> {
    return this.#claim(claim, seen);
  }

  setYields(claim: OriginClaim): Promise<boolean> {
    const { yields = false, revision = 0 } = claim;
    const values = { ':yields': yields, ':revision': revision };
    return this.#update(claim, 'SET yields = :yields, revision = :revision', values);
  }

  release(claim: Claim): Promise<boolean> {
    const now = Date.now();
    return this.#update(claim, 'SET releasedAt = :now, expiresAt = :ttl', {
      ':now': now,
      ':ttl': Math.floor(now / 1000) + RELEASED_CLAIM_LIFE,
    });
  }

  async held({ limit, after }: { limit: number; after?: string | undefined }): Promise<HeldClaims> {
    const { Items = [], LastEvaluatedKey } = await this.#client.send(
      new ScanCommand({
        TableName: this.#table,
        FilterExpression: 'attribute_not_exists(releasedAt)',
        Limit: limit,
        ...(after === undefined ? {} : { ExclusiveStartKey: decodeCursor(after) }),
      }),
    );
    const { origins, regions } = claimsOf(Items);
    if (LastEvaluatedKey === undefined) return { origins, regions };
    // A page may end between two claims of a stream: the rest of that stream belongs to this page.
    const stream = String(LastEvaluatedKey.pk).slice(STREAM.length);
    const cut = await this.read(stream);
    const others = (claim: Claim) => claim.stream !== stream;
    return {
      origins: [...origins.filter(others), ...cut.origins.filter(isHeld)],
      regions: [...regions.filter(others), ...cut.regions.filter(isHeld)],
      next: encodeCursor({ pk: LastEvaluatedKey.pk, sk: LAST_KEY }),
    };
  }

  #claim(claim: Claim, seen: Claim | undefined): Promise<boolean> {
    if (seen && seen.epoch >= claim.epoch) {
      throw new Error(`a claim of epoch ${claim.epoch} cannot replace one of epoch ${seen.epoch}`);
    }
    return held(
      this.#client.send(
        new PutCommand({
          TableName: this.#table,
          Item: { ...keyOf(claim), ...claim },
          ...(seen
            ? { ConditionExpression: 'epoch = :seen', ExpressionAttributeValues: { ':seen': seen.epoch } }
            : { ConditionExpression: 'attribute_not_exists(pk)' }),
        }),
      ),
    );
  }

  /** Changes the item of a claim that still stands. */
  #update(claim: Claim, expression: string, values: Record<string, unknown>): Promise<boolean> {
    return held(
      this.#client.send(
        new UpdateCommand({
          TableName: this.#table,
          Key: keyOf(claim),
          UpdateExpression: expression,
          ConditionExpression:
            'epoch = :epoch AND nodeId = :node AND incarnation = :incarnation AND attribute_not_exists(releasedAt)',
          ExpressionAttributeValues: {
            ...values,
            ':epoch': claim.epoch,
            ':node': claim.nodeId,
            ':incarnation': claim.incarnation,
          },
        }),
      ),
    );
  }
}

const claimsOf = (items: Record<string, unknown>[]): Pick<StreamClaims, 'origins' | 'regions'> => ({
  origins: readable(originClaim, items.filter(isOrigin)),
  regions: readable(
    regionClaim,
    items.filter((item) => !isOrigin(item)),
  ),
});

const isOrigin = ({ sk }: Record<string, unknown>): boolean => String(sk).startsWith('ORIGIN#');

/** A node of another release may write what this one cannot read: it is left out, the others count. */
const readable = <Schema extends z.ZodType>(schema: Schema, items: unknown[]): z.output<Schema>[] =>
  items.flatMap((item) => {
    const claim = schema.safeParse(item);
    return claim.success ? [claim.data] : [];
  });

/** True when the conditional write was made, false when its condition did not hold. */
async function held(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}

/** `STREAM#<name> ORIGIN#<region>#<priority>` or `STREAM#<name> REGION#<region>` */
const OWN_KEY = /^STREAM#\S{1,128} (ORIGIN|REGION)#[a-z0-9#-]{1,64}$/;

const encodeCursor = (key: Record<string, unknown>): string =>
  Buffer.from(JSON.stringify([key.pk, key.sk])).toString('base64url');

function decodeCursor(cursor: string): { pk: string; sk: string } {
  try {
    const [pk, sk]: unknown[] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (typeof pk === 'string' && typeof sk === 'string' && OWN_KEY.test(`${pk} ${sk}`)) return { pk, sk };
  } catch {
    // Said below: whatever it was, it is no cursor of ours.
  }
  throw new Problem(400, 'invalid-request', 'next: not a cursor that an earlier page gave');
}
