// What chaos happens to: a world in three regions, streams that are published, and an audience.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodesTable, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { type DatabaseFront, openDatabaseFront } from '#local/database-front.ts';
import { canMakeHosts, Hosts } from '#local/hosts.ts';
import { type LocalNode, startWorld, type World } from '#local/world.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { NodeClient } from '#routing/node-client.ts';
import { type NodeStatus, nodeStatus } from '#routing/node-messages.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import { signToken } from '#routing/tokens.ts';
import { readTree, type Tree } from '#test/cascade-tree.ts';
import { Audience, type Seat } from './audiences.ts';
import { Encoder } from './encoders.ts';
import { Random } from './random.ts';

export const REGIONS = ['us-east-1', 'eu-west-1', 'ap-southeast-1'] as const;

/** Short, so that what nobody watches can be seen to go; all other timings are the product's own. */
export const UNUSED_STREAM_TIMEOUT = 5_000;
/** Viewers of each stream in each region: one for each edge. */
const VIEWERS = 2;
/** Attempts to get a stream's viewers of a region onto both edges. */
const SPREADS = 6;
/** Between them, in ms. */
const SPREAD_PAUSE = 300;
const TOKEN_LIFE = 86_400;
/** Of a node to say what it has open, in ms. */
const STATUS_TIMEOUT = 3_000;

/** A stream; its first encoder is the one of the highest priority. */
export interface ChaosStream {
  name: string;
  encoders: readonly [Encoder, ...Encoder[]];
}

export interface Scene {
  world: World;
  /** Whether nodes have cables that can be pulled. */
  hasCables: boolean;
  front: DatabaseFront;
  map: DynamoStreamMap;
  streams: readonly ChaosStream[];
  audiences: readonly Audience[];
  /** Of all audiences. */
  seats: readonly Seat[];
  /** What each node has open when nobody publishes or watches. */
  idle: ReadonlyMap<string, NodeStatus['open']>;
  random: Random;
  signal: AbortSignal;
  log: (line: string) => void;
  node: (nodeId: string) => LocalNode;
  /** @throws Error when no region answers. */
  tree: (stream: string) => Promise<Tree | undefined>;
  /** Every node that the registries know. */
  registered: () => Promise<NodeRecord[]>;
  status: (node: NodeRecord) => Promise<NodeStatus>;
  /** Gets each stream's viewers of a region onto both of its edges, as far as placement lets. */
  spread: () => Promise<void>;
  /** Encoders and viewers leave. */
  empty: () => Promise<void>;
  close: () => Promise<void>;
}

export interface SceneOptions {
  seed: number;
  signal: AbortSignal;
  log: (line: string) => void;
}

export async function openScene({ seed, signal, log }: SceneOptions): Promise<Scene> {
  const closers: (() => unknown)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) {
      await Promise.resolve(closer()).catch((error: unknown) => log(`while stopping: ${String(error)}`));
    }
  };
  try {
    const random = new Random(seed);
    const hosts = canMakeHosts() ? await Hosts.open() : undefined;
    closers.push(() => hosts?.close());
    if (!hosts) log('not root: nodes have no cables of their own, so none is pulled');
    const database = await startDatabase({
      regions: REGIONS,
      credentials: { accessKeyId: 'chaos', secretAccessKey: 'chaos' },
    });
    closers.push(() => database.close());
    const front = await openDatabaseFront(database.endpoint, hosts ? { host: hosts.address } : {});
    closers.push(() => front.close());
    const world = await startWorld({
      regions: REGIONS,
      ports: { page: 0, api: 0, global: 0, dns: 0 },
      restart: true,
      hosts: hosts ?? new LoopbackHosts(),
      database: () => ({ ...database, endpoint: front.endpoint }),
      env: {
        MERIDIAN_CPU_LIMIT: '1',
        MERIDIAN_UNUSED_STREAM_TIMEOUT_MS: String(UNUSED_STREAM_TIMEOUT),
      },
    });
    closers.push(() => world.close());
    signal.throwIfAborted();

    const nodes = new NodeClient(world.clusterKey);
    closers.push(() => nodes.close());

    const registered = async () => {
      const lists = REGIONS.map((region) =>
        new DynamoNodeRegistry(database.documents, nodesTable(region)).list(),
      );
      return (await Promise.all(lists)).flat();
    };
    const status = (node: NodeRecord) =>
      nodes.call(node, { method: 'GET', path: '/v1/status', answer: nodeStatus, timeout: STATUS_TIMEOUT });
    const statuses = (await registered()).map(
      async (node) => [node.nodeId, (await status(node)).open] as const,
    );
    const idle = new Map(await Promise.all(statuses));

    const place = (stream: string) => (region: string) => ({
      region,
      url: `${apiOf(world, region)}/whip/${stream}`,
    });
    const encoder = async (stream: string, what: string, regions: readonly string[], priority: number) => {
      const made = new Encoder({
        name: `${stream}${what}`,
        places: regions.map(place(stream)),
        token: await signToken(world.tokenKey, {
          jti: randomUUID(),
          aud: 'publish',
          stream,
          priority,
          expiresAt: Math.floor(Date.now() / 1000) + TOKEN_LIFE,
        }),
        seed: random.integer(0, 0x7fff_ffff),
        log,
      });
      closers.push(() => made.stop());
      await made.child.ready;
      return made;
    };
    const [first, second, third] = REGIONS;
    const streams: ChaosStream[] = [
      { name: 'plain-1', encoders: [await encoder('plain-1', '', [first, second, third], 0)] },
      { name: 'plain-2', encoders: [await encoder('plain-2', '', [second, third, first], 0)] },
      {
        name: 'redundant',
        encoders: [
          await encoder('redundant', ' (main)', [first], 1),
          await encoder('redundant', ' (backup)', [third], 0),
        ],
      },
    ];

    const addresses = Object.fromEntries(
      world.nodes.map(({ host, nodeId }) => [host?.address ?? '', nodeId]),
    );
    const audiences = await Promise.all(
      REGIONS.map(async (region) => {
        const players = streams.flatMap(({ name: stream }) =>
          Array.from({ length: VIEWERS }, () => ({ stream, url: `${apiOf(world, region)}/whep/${stream}` })),
        );
        const audience = new Audience({ region, players, nodes: addresses, signal, log });
        closers.push(() => audience.stop());
        await audience.ready;
        return audience;
      }),
    );

    return {
      world,
      hasCables: hosts !== undefined,
      front,
      map: new DynamoStreamMap(database.documents, STREAMS_TABLE),
      streams,
      audiences,
      seats: audiences.flatMap(({ seats }) => seats),
      idle,
      random,
      signal,
      log,
      node: (nodeId) => {
        const node = world.nodes.find((candidate) => candidate.nodeId === nodeId);
        if (!node) throw new Error(`there is no node ${nodeId}`);
        return node;
      },
      tree: (stream) => readTree(stream, { api: apiOf(world, first) }, world.apiSecret),
      registered,
      status,
      spread: () => spread(audiences, signal, log),
      empty: async () => {
        await Promise.all(audiences.map((audience) => audience.leave()));
        await Promise.all(streams.flatMap(({ encoders }) => encoders.map((each) => each.stop())));
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function apiOf(world: World, region: string): string {
  const found = world.regions.find(({ id }) => id === region);
  if (!found) throw new Error(`there is no region ${region}`);
  return found.api;
}

async function spread(
  audiences: readonly Audience[],
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<void> {
  for (const audience of audiences) {
    for (const pair of Map.groupBy(audience.seats, ({ stream }) => stream).values()) {
      for (let attempt = 0; attempt < SPREADS && !signal.aborted; attempt += 1) {
        const [one, ...others] = pair;
        if (one === undefined || others.every(({ node }) => node !== one.node)) break;
        // The next quiet tells who does not play.
        await audience.rejoin(one).catch((error: unknown) => log(String(error)));
        // For the audience to tell where, and for placement to hear of the loads as they are now.
        await sleep(SPREAD_PAUSE, undefined, { signal });
      }
    }
  }
}

/** Without root every node has a loopback address of its own, by which a viewer's answer tells which it is; no cables. */
class LoopbackHosts {
  readonly address = '127.0.0.1';
  #made = 0;

  async add() {
    this.#made += 1;
    return {
      address: `127.2.0.${this.#made}`,
      enter: [],
      setCable: async () => {
        throw new Error('a node on loopback has no cable of its own: run as root');
      },
    };
  }
}
