// A region for tests of functions: real tables, real keys in the environment, and another region to ask.

import { randomBytes, randomUUID } from 'node:crypto';
import { CONTROL_TABLE, nodesTable, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { DynamoControlStore } from '#routing/control-store.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { DynamoStandingStore } from '#routing/standing-store.ts';
import { type NewToken, signToken } from '#routing/tokens.ts';
import { API } from './events.ts';
import { type OtherRegion, startOtherRegion } from './other-region.ts';

export const REGION = 'eu-west-1';

export interface TestRegion {
  other: OtherRegion;
  streamMap: DynamoStreamMap;
  registry: DynamoNodeRegistry;
  control: DynamoControlStore;
  standings: DynamoStandingStore;
  clusterKey: Uint8Array;
  /** A known API secret. */
  secret: string;
  /** A signed token, for publishing `concert` unless said otherwise. */
  token: (changes?: Partial<NewToken>) => Promise<string>;
  /** The name of a stream that no other test has. */
  newStream: () => string;
}

let started: Promise<TestRegion> | undefined;

/**
 * Sets the environment that handlers read: import them after this. A function reads its environment once, so the
 * region is one for as long as the process that runs the tests, and ends with it.
 */
export const startRegion = (): Promise<TestRegion> => {
  started ??= start();
  return started;
};

async function start(): Promise<TestRegion> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const [database, other] = await Promise.all([
    startDatabase({ regions: [REGION], credentials }),
    startOtherRegion(),
  ]);
  const [clusterKey, tokenKey] = [randomBytes(32), randomBytes(32)];
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    MERIDIAN_REGION: REGION,
    MERIDIAN_REGIONS: JSON.stringify([
      { id: REGION, api: API },
      { id: 'us-east-1', api: other.api },
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
    // A test may take longer than three heartbeats.
    MERIDIAN_NODE_DEAD_AFTER_MS: '60000',
    MERIDIAN_CALL_MS: '1000',
  });
  const secret = randomUUID();
  const control = new DynamoControlStore(database.documents, CONTROL_TABLE);
  await control.addSecret(secret, { account: 'test', label: 'test' });
  let streams = 0;
  return {
    other,
    streamMap: new DynamoStreamMap(database.documents, STREAMS_TABLE),
    registry: new DynamoNodeRegistry(database.documents, nodesTable(REGION)),
    control,
    standings: new DynamoStandingStore(database.documents, CONTROL_TABLE),
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
    newStream: () => {
      streams += 1;
      return `stream-${streams}`;
    },
  };
}
