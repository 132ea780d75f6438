// The local world: three regions on one machine, with the real handlers, real nodes and an embedded DynamoDB.

import type { ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { DynamoControlStore } from '#routing/control-store.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import type { NodeGroup } from '#routing/node-record.ts';
import type { RegionApi } from '#routing/region-client.ts';
import { DynamoStandingStore } from '#routing/standing-store.ts';
import { timingFrom } from '#routing/timing.ts';
import { signToken } from '#routing/tokens.ts';
import { Child } from './children.ts';
import { CONTROL_TABLE, type DatabaseAccess, nodesTable, STREAMS_TABLE, startDatabase } from './database.ts';
import { startDnsServer } from './dns/server.ts';
import { GlobalName } from './global-name.ts';
import type { Host, Hosts } from './hosts.ts';
import { type InstanceMetadata, startInstanceMetadata } from './instance-metadata.ts';
import { listen, portError } from './listen.ts';
import { startPage } from './page/server.ts';

const GLOBAL_NAME = 'live.meridian.test';

/** A node to start: its group, and its number among those of the group in its region. */
export interface NodePlace {
  group: NodeGroup;
  number: number;
}

/** Nodes of each region: viewers of another region are spread over two edges, so that there is a cascade to see. */
const NODES: readonly NodePlace[] = [
  { group: 'origin', number: 1 },
  { group: 'edge', number: 1 },
  { group: 'edge', number: 2 },
];

/** How long the publish token that is printed is good for, in seconds: a week. */
const TOKEN_LIFE = 7 * 86_400;

export interface WorldOptions {
  regions: readonly string[];
  /** Of each region; one origin node and two edges where it is not given. */
  nodes?: readonly NodePlace[];
  /** Ports; 0 is any free one. The gateways take one after another from `api` on. */
  ports: { page: number; api: number; global: number; dns: number };
  /** For nodes and functions, e.g. timings. */
  env: Record<string, string>;
  /** Start a gateway or a node again when it ends by itself. */
  restart: boolean;
  /** Where given, every node is on a host of its own in its region; else all are on loopback. */
  hosts?: Pick<Hosts, 'address' | 'add'>;
  /** All nodes' address where there are no hosts; loopback without it, which not every client sends media to. */
  nodeAddress?: string;
  /** What one region's nodes and functions have besides. */
  regionEnv?: Readonly<Record<string, Record<string, string>>>;
  /** Where the nodes and functions of a region find another one's API, if not at its own address. */
  reach?: (from: string, to: RegionApi) => Promise<string>;
  /** Each region's, in place of the world's own one for all; who gives it closes it. */
  database?: (region: string) => DatabaseAccess;
}

export interface World {
  regions: readonly RegionApi[];
  globalName: string;
  /** The port at which the global name's addresses answer. */
  globalPort: number;
  /** `host:port` */
  dns: string;
  page: string;
  publishToken: string;
  apiSecret: string;
  /** The one that a region's nodes and functions use. */
  database: (region: string) => DatabaseAccess;
  /** What publish and subscribe tokens are signed with. */
  tokenKey: Uint8Array;
  /** What calls to nodes are signed with. */
  clusterKey: Uint8Array;
  nodes: readonly LocalNode[];
  /** What a region's functions are started with. */
  functionEnvironment: (region: string) => Record<string, string>;
  /** What another node of a region would be started with, its instance's metadata aside. */
  nodeEnvironment: (region: string, group: NodeGroup, address?: string) => Record<string, string>;
  gateways: readonly Child[];
  /** Ends all of it, in order. Idempotent. */
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

/** Each region's own loopback address, which the global name resolves to. */
const regionAddress = (index: number) => `127.1.0.${index + 1}`;

/** @throws Error when a part cannot start; then nothing is left running. */
export async function startWorld({
  regions,
  ports,
  env,
  regionEnv = {},
  restart,
  hosts,
  nodes: places = NODES,
  nodeAddress = LOOPBACK,
  reach = async (_, { api }) => api,
  database: givenDatabase,
}: WorldOptions): Promise<World> {
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) {
      await closer().catch((error: unknown) => process.stderr.write(`while stopping: ${String(error)}\n`));
    }
  };
  try {
    const credentials = { accessKeyId: 'local', secretAccessKey: randomBytes(24).toString('base64') };
    // Where nodes find us.
    const host = hosts?.address ?? LOOPBACK;
    const ownDatabase = async () => {
      const one = await startDatabase({ host, regions, credentials });
      closers.push(() => one.close());
      return () => one;
    };
    const databaseOf = givenDatabase ?? (await ownDatabase());

    const sockets: { addresses: Address[]; api: RegionApi }[] = [];
    let globalPort = ports.global;
    for (const [index, id] of regions.entries()) {
      const addresses: Address[] = [];
      // From the first on: where a later port is taken, what listens already must not keep us running.
      closers.push(async () => {
        for (const { server: listening } of addresses) listening.close();
      });
      const server = createServer();
      const port = ports.api === 0 ? 0 : ports.api + index;
      const what = `the gateway of ${id}`;
      const api = `http://${host}:${await listen(server, { host, port, what, option: '--api-port' })}`;
      addresses.push(addressOf(server, host));
      const globalServer = createServer();
      const globalHost = regionAddress(index);
      globalPort = await listen(globalServer, {
        host: globalHost,
        port: globalPort,
        what: `${what} under the global name`,
        option: '--global-port',
      });
      addresses.push(addressOf(globalServer, globalHost));
      sockets.push({ addresses, api: { id, api } });
    }
    const apis = sockets.map(({ api }) => api);

    const tokenKey = randomBytes(32);
    const clusterKey = randomBytes(32);
    const apiSecret = randomBytes(24).toString('base64url');
    const control = (region: string) => new DynamoControlStore(databaseOf(region).documents, CONTROL_TABLE);
    // In every region, and not left to replication: it must be good in all of them from the first moment.
    await Promise.all(
      regions.map((region) =>
        control(region).addSecret(apiSecret, { account: 'local', label: 'local world' }),
      ),
    );
    const publishToken = await signToken(tokenKey, {
      jti: randomUUID(),
      aud: 'publish',
      stream: '*',
      expiresAt: Math.floor(Date.now() / 1000) + TOKEN_LIFE,
    });

    // Every port before any process: one that is taken is told at once.
    let checked: GlobalName | undefined;
    const dns = await startDnsServer({
      host: '127.0.0.1',
      port: ports.dns,
      globalName: GLOBAL_NAME,
      regions: () =>
        regions.map((id, index) => ({
          id,
          name: `${id}.meridian.test`,
          ipv4: regionAddress(index),
          port: globalPort,
          healthy: checked?.leadsTo(id) ?? true,
        })),
      log: (line) => process.stderr.write(`${line}\n`),
    }).catch((error: unknown) => {
      const cause = error instanceof Error ? (error.cause ?? error) : error;
      throw portError(cause, {
        host: '127.0.0.1',
        port: ports.dns,
        what: 'the DNS server',
        option: '--dns-port',
      });
    });
    closers.push(() => dns.close());
    const page = await startPage({ port: ports.page, apis, publishToken, apiSecret });
    closers.push(() => page.close());

    const shared = {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: '',
      MERIDIAN_STREAMS_TABLE: STREAMS_TABLE,
      MERIDIAN_CLUSTER_KEY: clusterKey.toString('base64'),
      // Every client here has one address: a bench or a test would be taken for a flood.
      MERIDIAN_RATE_LIMITS: process.env.MERIDIAN_RATE_LIMITS ?? 'off',
    };
    const regionsSeenFrom = await seenFrom(apis, reach);
    const sessionKey = randomBytes(32);
    const functionEnvironment: World['functionEnvironment'] = (region) => ({
      ...shared,
      MERIDIAN_REGION: region,
      MERIDIAN_REGIONS: regionsSeenFrom(region),
      MERIDIAN_DYNAMODB_ENDPOINT: databaseOf(region).endpoint,
      MERIDIAN_NODES_TABLE: nodesTable(region),
      MERIDIAN_CONTROL_TABLE: CONTROL_TABLE,
      MERIDIAN_TOKEN_KEY: tokenKey.toString('base64'),
      MERIDIAN_SESSION_KEY: sessionKey.toString('base64'),
      ...env,
      ...regionEnv[region],
    });

    const gateways = sockets.map(
      ({ addresses, api: { id } }) =>
        new Child({
          name: `the gateway of ${id}`,
          script: fileURLToPath(new URL('./gateway/main.ts', import.meta.url)),
          args: ['--region', id],
          env: {
            // As nodes: what is worth a look.
            POWERTOOLS_SERVICE_NAME: `gateway ${id}`,
            POWERTOOLS_LOG_LEVEL: 'WARN',
            ...functionEnvironment(id),
          },
          restart,
          equip: async (gateway) => {
            for (const address of addresses) await handOver(gateway, address);
          },
        }),
    );
    const nodeEnvironment: World['nodeEnvironment'] = (region, group, address = nodeAddress) => ({
      ...shared,
      MERIDIAN_REGION: region,
      MERIDIAN_REGIONS: regionsSeenFrom(region),
      MERIDIAN_NODE_GROUP: group,
      MERIDIAN_DYNAMODB_ENDPOINT: databaseOf(region).endpoint,
      MERIDIAN_NODES_TABLE: nodesTable(region),
      MERIDIAN_WORKERS: '1',
      MERIDIAN_CONTROL_ADDRESS: address,
      MERIDIAN_CONTROL_PORT: '0',
      MERIDIAN_INSTANCE_METADATA: 'ec2',
      MERIDIAN_MEDIA_ADDRESS: address,
      MERIDIAN_MEDIA_PORT: '0',
      MERIDIAN_LOG_LEVEL: process.env.MERIDIAN_LOG_LEVEL ?? 'warn',
      ...env,
      ...regionEnv[region],
    });
    const nodes = await Promise.all(
      regions.flatMap((region) =>
        places.map(async ({ group, number }) => {
          const own = await hosts?.add(region);
          const nodeId = `${region}-${group}-${number}`;
          const address = own?.address ?? nodeAddress;
          const env = nodeEnvironment(region, group, address);
          return startNode({ nodeId, env, restart, host: own, address, metadataHost: host });
        }),
      ),
    );
    closers.push(async () => {
      for (const { metadata } of nodes) metadata.close();
    });
    const children = [...gateways, ...nodes.map(({ child }) => child)];
    closers.push(() => Promise.all(children.map((child) => child.stop())));
    await Promise.all(children.map(({ ready }) => ready));

    // Only now: before, no region could have answered.
    const checks = new GlobalName({
      regions: apis.map((api) => ({
        ...api,
        nodes: new DynamoNodeRegistry(databaseOf(api.id).documents, nodesTable(api.id)),
        control: control(api.id),
        standings: new DynamoStandingStore(databaseOf(api.id).documents, CONTROL_TABLE),
      })),
      nodeDeadAfter: timingFrom({ ...process.env, ...env }).nodeDeadAfter,
    });
    checked = checks;
    closers.push(() => checks.close());

    return {
      regions: apis,
      globalName: GLOBAL_NAME,
      globalPort,
      dns: `127.0.0.1:${dns.port}`,
      page: page.url,
      publishToken,
      apiSecret,
      database: databaseOf,
      tokenKey,
      clusterKey,
      nodes,
      functionEnvironment,
      nodeEnvironment,
      gateways,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What `MERIDIAN_REGIONS` is in each region. */
async function seenFrom(
  apis: readonly RegionApi[],
  reach: (from: string, to: RegionApi) => Promise<string>,
): Promise<(region: string) => string> {
  const seen = new Map<string, string>();
  for (const { id: from } of apis) {
    const all = apis.map(async (to) => (to.id === from ? to : { ...to, api: await reach(from, to) }));
    seen.set(from, JSON.stringify(await Promise.all(all)));
  }
  return (region) => seen.get(region) ?? JSON.stringify(apis);
}

/** Where a gateway listens, and the socket that waits for it. */
interface Address {
  host: string;
  port: number;
  server: Server;
}

function addressOf(server: Server, host: string): Address {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error(`nothing listens on ${host}`);
  return { host, port: address.port, server };
}

/** Gives a listening socket to a gateway; ours is closed, or we would take some of its connections. */
async function handOver(gateway: ChildProcess, address: Address): Promise<void> {
  const { host, port } = address;
  if (!address.server.listening) {
    // It went with an earlier gateway.
    address.server = createServer();
    await listen(address.server, { host, port, what: 'a gateway that starts again', option: '--api-port' });
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  gateway.send({ listen: true }, address.server, {}, (error) => (error ? reject(error) : resolve()));
  await promise;
  address.server.close();
}

/** A node's process, and the metadata service of the instance that it believes to be. */
export interface LocalNode {
  nodeId: string;
  child: Child;
  metadata: InstanceMetadata;
  /** Its own, where it has one. */
  host: Host | undefined;
}

interface NodeToStart {
  nodeId: string;
  /** Whole: what {@link World.nodeEnvironment} gives. */
  env: Record<string, string>;
  restart: boolean;
  host: Host | undefined;
  address: string;
  metadataHost: string;
}

async function startNode({
  nodeId,
  env,
  restart,
  host,
  address,
  metadataHost,
}: NodeToStart): Promise<LocalNode> {
  const metadata = await startInstanceMetadata({ instanceId: nodeId, address, host: metadataHost });
  const child = new Child({
    restart,
    ...(host && { enter: host.enter }),
    name: `node ${nodeId}`,
    script: fileURLToPath(new URL('../media-fleet/main.ts', import.meta.url)),
    args: ['--node-id', nodeId],
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.endpoint, ...env },
  });
  return { nodeId, child, metadata, host };
}
