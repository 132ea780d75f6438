// What a warm function keeps between its invocations: configuration, clients, keys and caches, made once.

import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { type Account, DynamoControlStore, type RegionStates } from '#routing/control-store.ts';
import { dynamoDocuments } from '#routing/dynamo.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { json, regionApis, secretKey, setVariables } from '#routing/environment.ts';
import { type IceServers, iceServers } from '#routing/ice-servers.ts';
import { regionId } from '#routing/names.ts';
import { NodeClient } from '#routing/node-client.ts';
import { NodeListStore } from '#routing/node-list-store.ts';
import { aliveNodes, type NodeRecord } from '#routing/node-record.ts';
import type { RegionApi } from '#routing/region-client.ts';
import { RequestLimits, rateLimitsVariable } from '#routing/request-limits.ts';
import { RouteCache } from '#routing/route-cache.ts';
import { SessionUrls } from '#routing/session-url.ts';
import type { StreamMap } from '#routing/stream-map.ts';
import { type Timing, timingFrom } from '#routing/timing.ts';
import { log } from './log.ts';

/** Milliseconds for which a checked API secret is not asked for again: revocation takes effect within this. */
const SECRET_CACHE = 5_000;
const REMEMBERED_SECRETS = 1_000;

const environmentSchema = z.object({
  MERIDIAN_REGION: regionId,
  MERIDIAN_REGIONS: regionApis,
  MERIDIAN_STREAMS_TABLE: z.string().min(3),
  MERIDIAN_NODES_TABLE: z.string().min(3),
  MERIDIAN_CONTROL_TABLE: z.string().min(3),
  /** Only where DynamoDB is not AWS's own. */
  MERIDIAN_DYNAMODB_ENDPOINT: z.url().optional(),
  MERIDIAN_CLUSTER_KEY: secretKey,
  MERIDIAN_TOKEN_KEY: secretKey,
  MERIDIAN_SESSION_KEY: secretKey,
  /** STUN and TURN servers that clients are told of: `[{"url":"turn:…","secret":"…"}]`. */
  MERIDIAN_ICE_SERVERS: json.pipe(iceServers).default([]),
  MERIDIAN_RATE_LIMITS: rateLimitsVariable,
});

export interface FunctionContext {
  region: RegionApi;
  regions: readonly RegionApi[];
  timing: Timing;
  streamMap: StreamMap;
  routes: RouteCache;
  nodes: NodeClient;
  sessionUrls: SessionUrls;
  tokenKey: Uint8Array;
  iceServers: IceServers;
  /** This execution environment's own: each of a function's counts for itself. */
  limits: RequestLimits;
  /** The account of an API secret, remembered for {@link SECRET_CACHE} ms. */
  accountOf: (apiSecret: string) => Promise<Account | undefined>;
  /** Which regions are out, remembered as routes are. */
  regionStates: () => Promise<RegionStates>;
  /** Evacuates a region, or lets it come back. */
  setEvacuated: (region: string, evacuated: boolean) => Promise<void>;
  /** Spends a redirect's ticket; false when it was spent before. */
  spendTicket: (id: string) => Promise<boolean>;
  /** The region's living nodes; `exact`: one that has just come included. */
  aliveNodes: (how?: { exact?: boolean }) => Promise<NodeRecord[]>;
}

/** @throws Error naming every variable that is missing or wrong. */
export function contextFrom(environment: NodeJS.ProcessEnv): FunctionContext {
  const parsed = environmentSchema.safeParse(setVariables(environment));
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new Error(`wrong configuration: ${wrong.join('; ')}`);
  }
  const config = parsed.data;
  const regions = config.MERIDIAN_REGIONS;
  const region = regions.find(({ id }) => id === config.MERIDIAN_REGION);
  if (region === undefined) {
    throw new Error(
      `wrong configuration: MERIDIAN_REGIONS does not contain MERIDIAN_REGION ${config.MERIDIAN_REGION}`,
    );
  }
  const timing = timingFrom(environment);
  const dynamo = dynamoDocuments({
    region: region.id,
    timeout: timing.call,
    endpoint: config.MERIDIAN_DYNAMODB_ENDPOINT,
  });
  const streamMap = new DynamoStreamMap(dynamo, config.MERIDIAN_STREAMS_TABLE);
  const nodeRegistry = new DynamoNodeRegistry(dynamo, config.MERIDIAN_NODES_TABLE);
  const controlStore = new DynamoControlStore(dynamo, config.MERIDIAN_CONTROL_TABLE);
  const { nodeDeadAfter } = timing;
  const routes = new RouteCache({
    streamMap,
    nodeRegistry,
    nodeLists: { store: new NodeListStore(dynamo, config.MERIDIAN_NODES_TABLE), maxAge: nodeDeadAfter },
    maxAge: timing.routeCache,
  });
  const accounts = new LRUCache<string, { account: Account | undefined }>({
    max: REMEMBERED_SECRETS,
    ttl: SECRET_CACHE,
    fetchMethod: async (secret) => ({ account: await controlStore.accountOf(secret) }),
  });
  const states = new LRUCache<'regions', RegionStates>({
    max: 1,
    // 0 would mean for ever.
    ttl: Math.max(1, timing.routeCache),
    fetchMethod: () => controlStore.regions(),
  });
  return {
    region,
    regions,
    timing,
    streamMap,
    routes,
    nodes: new NodeClient(config.MERIDIAN_CLUSTER_KEY),
    sessionUrls: new SessionUrls(config.MERIDIAN_SESSION_KEY.slice(0, 32)),
    tokenKey: config.MERIDIAN_TOKEN_KEY,
    iceServers: config.MERIDIAN_ICE_SERVERS,
    limits: new RequestLimits({
      limits: config.MERIDIAN_RATE_LIMITS,
      onRefusal: (refusal) => log.warn('a rate limit refuses requests', { ...refusal }),
    }),
    accountOf: async (secret) => (await accounts.forceFetch(secret)).account,
    regionStates: () => states.forceFetch('regions'),
    setEvacuated: (id, evacuated) => controlStore.setEvacuated(id, evacuated),
    spendTicket: (id) => controlStore.spendTicket(id),
    aliveNodes: async (how) => {
      const { nodes, at } = await routes.nodes(how);
      return aliveNodes(nodes, at, nodeDeadAfter);
    },
  };
}
