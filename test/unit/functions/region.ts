// A region for tests of functions: real tables, and real keys in the environment.

import { randomBytes, randomUUID } from 'node:crypto';
import { CONTROL_TABLE, type Database, nodesTable, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { DynamoControlStore } from '#routing/control-store.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { type NewToken, signToken } from '#routing/tokens.ts';
import { API } from './events.ts';

export const REGION = 'eu-west-1';
export const OTHER_API = 'https://us-east-1.live.example';

export interface TestRegion {
  database: Database;
  streamMap: DynamoStreamMap;
  registry: DynamoNodeRegistry;
  clusterKey: Uint8Array;
  /** A known API secret. */
  secret: string;
  /** A signed token, for publishing `concert` unless said otherwise. */
  token: (changes?: Partial<NewToken>) => Promise<string>;
  close: () => Promise<void>;
}

/** Sets the environment that handlers read: import them after this. */
export async function startRegion(environment: Record<string, string> = {}): Promise<TestRegion> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const database = await startDatabase({ regions: [REGION], credentials });
  const [clusterKey, tokenKey] = [randomBytes(32), randomBytes(32)];
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    MERIDIAN_REGION: REGION,
    MERIDIAN_REGIONS: JSON.stringify([
      { id: REGION, api: API },
      { id: 'us-east-1', api: OTHER_API },
    ]),
    MERIDIAN_STREAMS_TABLE: STREAMS_TABLE,
    MERIDIAN_NODES_TABLE: nodesTable(REGION),
    MERIDIAN_CONTROL_TABLE: CONTROL_TABLE,
    MERIDIAN_DYNAMODB_ENDPOINT: database.endpoint,
    MERIDIAN_CLUSTER_KEY: clusterKey.toString('base64'),
    MERIDIAN_TOKEN_KEY: tokenKey.toString('base64'),
    MERIDIAN_SESSION_KEY: randomBytes(32).toString('base64'),
    // Nothing is remembered: a test sees what it wrote.
    MERIDIAN_ROUTE_CACHE_MS: '0',
    ...environment,
  });
  const secret = randomUUID();
  await new DynamoControlStore(database.documents, CONTROL_TABLE).addSecret(secret, {
    account: 'test',
    label: 'test',
  });
  return {
    database,
    streamMap: new DynamoStreamMap(database.documents, STREAMS_TABLE),
    registry: new DynamoNodeRegistry(database.documents, nodesTable(REGION)),
    clusterKey,
    secret,
    token: (changes = {}) =>
      signToken(tokenKey, {
        jti: 'token-1',
        aud: 'publish',
        stream: 'concert',
        expiresAt: Math.floor(Date.now() / 1_000) + 60,
        ...changes,
      }),
    close: () => database.close(),
  };
}
