// The node registry in a region's own DynamoDB table: one item per node.

import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, type DynamoDBDocumentClient, PutCommand, paginateScan } from '@aws-sdk/lib-dynamodb';
import { type NodeRecord, nodeRecord } from './node-record.ts';
import type { NodeRegistry } from './node-registry.ts';

/** How long a silent node's item stays, for whoever looks into its death: an hour, in seconds. */
const SILENT_NODE_LIFE = 3_600;

export class DynamoNodeRegistry implements NodeRegistry {
  readonly #client: DynamoDBDocumentClient;
  readonly #table: string;

  /** @param table the region's own table. */
  constructor(client: DynamoDBDocumentClient, table: string) {
    this.#client = client;
    this.#table = table;
  }

  async beat(record: NodeRecord, signal?: AbortSignal): Promise<void> {
    const expiresAt = Math.floor(record.heartbeatAt / 1000) + SILENT_NODE_LIFE;
    await this.#client.send(
      new PutCommand({ TableName: this.#table, Item: { pk: record.nodeId, ...record, expiresAt } }),
      signal ? { abortSignal: signal } : {},
    );
  }

  async remove({ nodeId, incarnation }: Pick<NodeRecord, 'nodeId' | 'incarnation'>): Promise<void> {
    try {
      await this.#client.send(
        new DeleteCommand({
          TableName: this.#table,
          Key: { pk: nodeId },
          ConditionExpression: 'incarnation = :mine',
          ExpressionAttributeValues: { ':mine': incarnation },
        }),
      );
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
    }
  }

  async list(): Promise<NodeRecord[]> {
    const records: NodeRecord[] = [];
    for await (const page of paginateScan({ client: this.#client }, { TableName: this.#table })) {
      for (const item of page.Items ?? []) {
        // A node of another release may write what this one cannot read: it is left out, the others count.
        const record = nodeRecord.safeParse(item);
        if (record.success) records.push(record.data);
      }
    }
    return records;
  }
}
