// A region's standing in the control table: written by its own region-health only, read by all (ControlStore's regions).

import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { standingKey } from './control-store.ts';
import type { RegionStanding } from './region-standing.ts';

export interface StandingStore {
  /**
   * @param seen what it was worked out from.
   * @returns false when another check has written since: then nothing is changed, so that no check counts twice.
   */
  write(standing: RegionStanding, seen: RegionStanding | undefined): Promise<boolean>;
}

export class DynamoStandingStore implements StandingStore {
  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;

  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  async write(standing: RegionStanding, seen: RegionStanding | undefined): Promise<boolean> {
    const Item = { ...standingKey(standing.region), ...standing };
    const unchanged =
      seen === undefined
        ? { ConditionExpression: 'attribute_not_exists(pk)' }
        : {
            ConditionExpression: 'checkedAt = :seen',
            ExpressionAttributeValues: { ':seen': seen.checkedAt },
          };
    try {
      await this.#client.send(new PutCommand({ TableName: this.#table, Item, ...unchanged }));
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  }
}
