// Looking into the world's nodes as functions do: through the registry and the control servers.

import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { nodesTable, STREAMS_TABLE } from '#local/database.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { NodeClient } from '#routing/node-client.ts';
import { type NodeStatus, nodeStatus } from '#routing/node-messages.ts';
import { world } from './support.ts';

const documents = DynamoDBDocumentClient.from(
  new DynamoDBClient({
    endpoint: world.databaseEndpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  }),
);

export const streamMap = new DynamoStreamMap(documents, STREAMS_TABLE);
export const nodeClient = new NodeClient(Buffer.from(world.clusterKey, 'base64'));

export const registered = (region: { id: string }) =>
  new DynamoNodeRegistry(documents, nodesTable(region.id)).list();

/** What every node of a region has open. */
export async function statuses(region: { id: string }): Promise<NodeStatus[]> {
  const nodes = await registered(region);
  const call = { method: 'GET', path: '/v1/status', answer: nodeStatus, timeout: 3_000 } as const;
  return Promise.all(nodes.map((node) => nodeClient.call(node, call)));
}

/** Items of the stream map, all pages. */
export async function claimCount(): Promise<number> {
  let [count, after]: [number, string | undefined] = [0, undefined];
  do {
    const page: Awaited<ReturnType<typeof streamMap.held>> = await streamMap.held({
      limit: 100,
      after,
    });
    count += page.origins.length;
    after = page.next;
  } while (after !== undefined);
  return count;
}
