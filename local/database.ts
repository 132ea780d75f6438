// The local world's DynamoDB: dynalite, with the tables that the CDK app makes on AWS.

import { CreateTableCommand, DynamoDBClient, type KeySchemaElement } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import dynalite from 'dynalite';
import { listen } from './listen.ts';

export const STREAMS_TABLE = 'meridian-streams';
export const CONTROL_TABLE = 'meridian-control';
/** dynalite ignores regions, so a regional table carries its region in its name. */
export const nodesTable = (region: string): string => `meridian-nodes-${region}`;

/** A way to a database. */
export interface DatabaseAccess {
  endpoint: string;
  documents: DynamoDBDocumentClient;
}

export interface Database extends DatabaseAccess {
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Where it listens. */
  host?: string;
  regions: readonly string[];
  /** dynalite checks that a client has some, not which. */
  credentials: { accessKeyId: string; secretAccessKey: string };
}

export async function startDatabase({
  host = '127.0.0.1',
  regions,
  credentials,
}: DatabaseOptions): Promise<Database> {
  const server = dynalite({ createTableMs: 0 });
  const port = await listen(server, { host, port: 0, what: 'the database', option: '' });
  const endpoint = `http://${host}:${port}`;
  const client = new DynamoDBClient({ endpoint, region: 'us-east-1', credentials });
  const keys = (...names: string[]): KeySchemaElement[] =>
    names.map((AttributeName, index) => ({ AttributeName, KeyType: index === 0 ? 'HASH' : 'RANGE' }));
  const tables: [string, KeySchemaElement[]][] = [
    [STREAMS_TABLE, keys('pk', 'sk')],
    [CONTROL_TABLE, keys('pk', 'sk')],
    ...regions.map((region): [string, KeySchemaElement[]] => [nodesTable(region), keys('pk')]),
  ];
  for (const [TableName, KeySchema] of tables) {
    const AttributeDefinitions = KeySchema.map(({ AttributeName }) => ({
      AttributeName,
      AttributeType: 'S' as const,
    }));
    await client.send(
      new CreateTableCommand({ TableName, KeySchema, AttributeDefinitions, BillingMode: 'PAY_PER_REQUEST' }),
    );
  }
  return {
    endpoint,
    documents: DynamoDBDocumentClient.from(client),
    close: async () => {
      client.destroy();
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeAllConnections();
      await promise;
    },
  };
}
