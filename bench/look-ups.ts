// What the plays of one stream read, by the number of warm functions and of plays.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { contextFrom, type FunctionContext } from '#functions/context.ts';
import { CONTROL_TABLE, nodesTable, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { openDatabaseFront } from '#local/database-front.ts';
import { NodeListKeeper } from '#media-fleet/node-list-keeper.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { NodeListStore } from '#routing/node-list-store.ts';
import { placeSession } from '#routing/placement.ts';
import { timingFrom } from '#routing/timing.ts';
import { edgeRecord, REGION } from './edge-record.ts';
import type { BenchResult } from './result.ts';

const STREAM = 'hot';
const NODES = 100;
const RUNS = [
  { environments: 1, plays: 1_000 },
  { environments: 1, plays: 10_000 },
  { environments: 10, plays: 1_000 },
  { environments: 10, plays: 10_000 },
  { environments: 40, plays: 10_000 },
];
/** Seconds of each. */
const MEASURE = 4;
/** Milliseconds between the bursts that a second's plays come in. */
const TICK = 10;

export async function lookUps(): Promise<BenchResult['rows']> {
  const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench' };
  // The SDK of a function takes them from the process, as on Lambda.
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'bench', AWS_SECRET_ACCESS_KEY: 'bench' });
  const database = await startDatabase({ regions: [REGION], credentials });
  const front = await openDatabaseFront(database.endpoint);
  let keeper: NodeListKeeper | undefined;
  try {
    const registry = new DynamoNodeRegistry(database.documents, nodesTable(REGION));
    const nodes = Array.from({ length: NODES }, (_, index) => edgeRecord(index));
    for (const node of nodes) await registry.beat(node);
    const { nodeId, incarnation } = edgeRecord(0);
    await new DynamoStreamMap(database.documents, STREAMS_TABLE).claimOrigin(
      {
        stream: STREAM,
        region: REGION,
        nodeId,
        incarnation,
        epoch: 1,
        priority: 0,
        tokenId: 'bench',
        startedAt: Date.now(),
        viewing: 'open',
      },
      undefined,
    );
    // Past the front: the keeper's own reads are not the functions'.
    const store = new NodeListStore(database.documents, nodesTable(REGION));
    const self = { incarnation: edgeRecord(0).incarnation };
    keeper = new NodeListKeeper({
      self,
      registry,
      store,
      timing: timingFrom({}),
      log: pino({ level: 'silent' }),
    });
    while ((await store.read()) === undefined) await sleep(TICK);
    const rows: BenchResult['rows'] = [];
    for (const { environments, plays } of RUNS) {
      const contexts = Array.from({ length: environments }, () => contextFrom(environment(front.endpoint)));
      const before = front.calls.length;
      const done = await play(contexts, plays);
      const calls = front.calls.slice(before);
      const perSecond = (table: string, operation: string) =>
        Number(
          (
            calls.filter((call) => call.table === table && call.operation === operation).length / MEASURE
          ).toFixed(1),
        );
      for (const { nodes: client } of contexts) client.close();
      rows.push({
        what: 'look-ups',
        'warm functions': environments,
        'plays a second': Math.round(done / MEASURE),
        'stream reads a second': perSecond(STREAMS_TABLE, 'Query'),
        'node list reads a second': perSecond(nodesTable(REGION), 'GetItem'),
        'scans of nodes a second': perSecond(nodesTable(REGION), 'Scan'),
      });
    }
    return rows;
  } finally {
    await keeper?.close();
    front.close();
    await database.close();
  }
}

/** What a play looks up before its session is opened, at a steady rate. @returns how many plays there were. */
async function play(contexts: readonly FunctionContext[], plays: number): Promise<number> {
  const started = performance.now();
  const running = new Set<Promise<void>>();
  let count = 0;
  for (;;) {
    const elapsed = performance.now() - started;
    if (elapsed >= MEASURE * 1_000) break;
    for (const due = (elapsed / 1_000) * plays; count < due; count += 1) {
      const context = contexts[count % contexts.length];
      if (context === undefined) throw new Error('no environment');
      const one = lookUp(context).finally(() => running.delete(one));
      running.add(one);
    }
    await sleep(TICK);
  }
  await Promise.all(running);
  return count;
}

async function lookUp({ routes, aliveNodes }: FunctionContext): Promise<void> {
  const [{ origins }, nodes] = await Promise.all([routes.claims(STREAM), aliveNodes()]);
  const placed = placeSession(nodes, { kind: 'viewers', group: 'edge', exclude: new Set() });
  if (origins.length !== 1 || placed === undefined) throw new Error('the stream or its nodes were not found');
}

function environment(endpoint: string): Record<string, string> {
  const key = randomBytes(32).toString('base64');
  return {
    MERIDIAN_REGION: REGION,
    MERIDIAN_REGIONS: JSON.stringify([{ id: REGION, api: 'https://us-east-1.bench.example' }]),
    MERIDIAN_STREAMS_TABLE: STREAMS_TABLE,
    MERIDIAN_NODES_TABLE: nodesTable(REGION),
    MERIDIAN_CONTROL_TABLE: CONTROL_TABLE,
    MERIDIAN_DYNAMODB_ENDPOINT: endpoint,
    MERIDIAN_CLUSTER_KEY: key,
    MERIDIAN_TOKEN_KEY: key,
    MERIDIAN_SESSION_KEY: key,
  };
}
