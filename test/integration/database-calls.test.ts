// What sessions cost in calls to the database, and what a node asks of it: no more than its role allows.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { CONTROL_TABLE, type Database, nodesTable, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { type DatabaseFront, openDatabaseFront } from '#local/database-front.ts';
import { canMakeHosts, Hosts } from '#local/hosts.ts';
import { startWorld, type World } from '#local/world.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { signToken } from '#routing/tokens.ts';
import { databaseActions, templates } from '#test/infra/stacks.ts';
import { Publisher } from '#test/media/libwebrtc.ts';
import { useSessions } from './sessions.ts';
import { crossings, eventually, newStream, readTree, regionAt, whip } from './support.ts';

const REGIONS = ['us-east-1', 'eu-west-1'];
/** A role's own looks at its claims would count, too. */
const QUIET = '60000';

let hosts: Hosts | undefined;
let database: Database;
let front: DatabaseFront;
let world: World;
let map: DynamoStreamMap;
let allowed: string[];

/** Nodes have addresses of their own: their calls can be told from the functions'. */
describe.skipIf(!canMakeHosts())('as root, who can make hosts:', () => {
  beforeAll(async () => {
    // A synthesis keeps this process busy, and with it the database: before anybody waits for that.
    allowed = databaseActions(templates().regions[1], 'NodeRole').toSorted();
    hosts = await Hosts.open();
    database = await startDatabase({
      regions: REGIONS,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    map = new DynamoStreamMap(database.documents, STREAMS_TABLE);
    front = await openDatabaseFront(database.endpoint, { host: hosts.address });
    world = await startWorld({
      regions: REGIONS,
      ports: { page: 0, api: 0, global: 0, dns: 0 },
      restart: false,
      hosts,
      database: () => ({ ...database, endpoint: front.endpoint }),
      env: {
        MERIDIAN_CPU_LIMIT: '1',
        MERIDIAN_CLAIM_CHECK_MS: QUIET,
        MERIDIAN_UNUSED_STREAM_TIMEOUT_MS: '1000',
        MERIDIAN_DRAIN_MS: '5000',
      },
    });
  });
  afterAll(async () => {
    await world.close();
    front.close();
    await database.close();
    await hosts?.close();
  });

  const region = (index: number) => regionAt(world, index);
  const tree = (stream: string) => readTree(stream, region(0), world.apiSecret);
  const { publish, watch } = useSessions({ publishToken: () => world.publishToken, tree });
  const registry = (id: string) => new DynamoNodeRegistry(database.documents, nodesTable(id));

  /** The calls that concern streams and tickets; the node list is cached, and heartbeats and health checks come by time. */
  async function callsDuring(what: () => Promise<unknown>): Promise<string[]> {
    const before = front.calls.length;
    await what();
    return front.calls
      .slice(before)
      .filter(
        ({ table, operation }) =>
          (table === STREAMS_TABLE && operation !== 'Scan') ||
          (table === CONTROL_TABLE && operation === 'PutItem'),
      )
      .map(({ operation, from }) => `${from === hosts?.address ? 'function' : 'node'} ${operation}`);
  }

  test('a publish is three calls, and a join that is not the first one call or none', async () => {
    const stream = newStream('cost');
    const publishing = await callsDuring(async () => {
      const publisher = await Publisher.start({ url: whip(region(0), stream), token: world.publishToken });
      onTestFinished(() => publisher.stop());
      // Past the front: a look at the tree would be calls of its own.
      await eventually(
        () => map.read(stream),
        ({ origins }) => origins.length > 0,
      );
    });
    expect(publishing).toEqual(['function Query', 'node Query', 'node PutItem']);

    // By way of a redirect its ticket is spent, besides.
    const redirected = newStream('redirected');
    const pinned = await signToken(world.tokenKey, {
      jti: randomUUID(),
      aud: 'publish',
      stream: redirected,
      region: region(1).id,
      expiresAt: Math.floor(Date.now() / 1_000) + 60,
    });
    const redirecting = await callsDuring(async () => {
      const publisher = await Publisher.start({ url: whip(region(0), redirected), token: pinned });
      onTestFinished(() => publisher.stop());
      await eventually(
        () => map.read(redirected),
        ({ origins }) => origins.length > 0,
      );
    });
    expect(redirecting).toEqual(['function Query', 'function PutItem', 'node Query', 'node PutItem']);

    // Both edges of both regions have the stream.
    for (const at of [0, 0, 0, 1, 1, 1]) await (await watch(stream, region(at))).watch(1);
    const joins = 10;
    for (const at of [0, 1]) {
      const joining = await callsDuring(async () => {
        for (let count = 0; count < joins; count += 1) await watch(stream, region(at));
      });
      process.stdout.write(`${joins} joins in ${region(at).id}: ${joining.length} calls about the stream\n`);
      expect(joining.filter((call) => call !== 'function Query')).toEqual([]);
      expect(joining.length).toBeLessThanOrEqual(joins);
    }
  });

  test('a node may do what it does, and nothing else', async () => {
    // A life: publish, cross, be let go, drain.
    const stream = newStream('life');
    const publisher = await publish(stream, region(0));
    const viewer = await watch(stream, region(1));
    await viewer.watch(1);
    await viewer.stop();
    await eventually(
      () => tree(stream),
      (now) => now !== undefined && crossings(now, region(1)).length === 0,
    );
    await publisher.stop();
    const [node] = world.nodes;
    node?.child.process.kill('SIGTERM');
    await eventually(
      () => registry(region(0).id).list(),
      (nodes) => nodes.every(({ nodeId }) => nodeId !== node?.nodeId),
    );
    const made = front.calls
      .filter(({ from }) => from !== hosts?.address)
      .map(
        ({ operation, table }) =>
          `dynamodb:${operation} ${table.startsWith('meridian-nodes') ? 'meridian-nodes' : table}`,
      );
    expect([...new Set(made)].toSorted()).toEqual(allowed);
  });
});
