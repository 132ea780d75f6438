// A node: its workers, streams, control server and registration, put together and taken apart in order.

import { randomUUID } from 'node:crypto';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import type { Logger } from 'pino';
import { dynamoDocuments } from '#routing/dynamo.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { NodeClient } from '#routing/node-client.ts';
import { NodeListStore } from '#routing/node-list-store.ts';
import type { NodeLoad, NodeRecord, NodeState } from '#routing/node-record.ts';
import { RegionClient } from '#routing/region-client.ts';
import { RequestLimits } from '#routing/request-limits.ts';
import { RouteCache } from '#routing/route-cache.ts';
import { Background } from './background.ts';
import { makeCertificate } from './certificate.ts';
import type { NodeConfig } from './config.ts';
import { controlRoutes } from './control-routes.ts';
import { ControlServer } from './control-server.ts';
import { drain } from './drain.ts';
import { NodeListKeeper } from './node-list-keeper.ts';
import { Peers } from './peers.ts';
import { Registration } from './registration.ts';
import { Streams } from './streams.ts';
import { Sweep } from './sweep.ts';
import { Workers } from './workers.ts';

export interface RunningNode {
  readonly nodeId: string;
  /** Takes nothing new and waits until it is empty, for {@link Timing.drain} ms at most. @returns whether it is empty. */
  drain(signal: AbortSignal): Promise<boolean>;
  /** Ends sessions, leaves the registry, stops the workers. Idempotent. */
  close(): Promise<void>;
}

/** Starts a node; it is SERVING when this resolves. @throws Error when a part cannot start; then nothing is left. */
export async function startNode(config: NodeConfig, log: Logger): Promise<RunningNode> {
  const { timing, nodeId } = config;
  const region = config.MERIDIAN_REGION;
  const self = { region, nodeId, incarnation: randomUUID() };
  const startedAt = Date.now();
  const closers: (() => unknown)[] = [];
  const closeAll = async () => {
    for (const close of closers.splice(0).reverse()) {
      await Promise.resolve(close()).catch((error: unknown) => log.warn({ err: error }, 'while stopping'));
    }
  };

  try {
    const documents = dynamoDocuments({
      region,
      timeout: timing.call,
      endpoint: config.MERIDIAN_DYNAMODB_ENDPOINT,
    });
    closers.push(() => documents.destroy());
    const registry = new DynamoNodeRegistry(documents, config.MERIDIAN_NODES_TABLE);
    const streamMap = new DynamoStreamMap(documents, config.MERIDIAN_STREAMS_TABLE);
    const nodeLists = new NodeListStore(documents, config.MERIDIAN_NODES_TABLE);
    const routes = new RouteCache({
      streamMap,
      nodeRegistry: registry,
      nodeLists: { store: nodeLists, maxAge: timing.nodeDeadAfter },
      maxAge: timing.routeCache,
    });
    const nodes = new NodeClient(config.MERIDIAN_CLUSTER_KEY);
    closers.push(() => nodes.close());
    const regions = new RegionClient({
      regions: config.MERIDIAN_REGIONS,
      credentials: defaultProvider(),
      timeout: timing.call,
    });

    const workers = await Workers.start({
      count: config.MERIDIAN_WORKERS,
      listenAddress: config.MERIDIAN_MEDIA_ADDRESS,
      publicAddress: config.MERIDIAN_PUBLIC_ADDRESS,
      publicAddressV6: config.MERIDIAN_PUBLIC_ADDRESS_V6,
      privateAddress: config.MERIDIAN_PRIVATE_ADDRESS,
      crossingAddress:
        config.MERIDIAN_CROSSING_ADDRESS === 'private'
          ? config.MERIDIAN_PRIVATE_ADDRESS
          : config.MERIDIAN_PUBLIC_ADDRESS,
      firstPort: config.MERIDIAN_MEDIA_PORT,
      legPorts: config.MERIDIAN_LEG_PORTS,
      iceConsent: timing.iceConsent,
      log,
    });
    closers.push(() => workers.close());

    const background = new Background(log);
    closers.push(() => background.settled(timing.call));
    const peers = new Peers(routes, nodes, timing);
    const maxChildren = config.MERIDIAN_MAX_CHILDREN;
    const streams = new Streams({
      background,
      self,
      streamMap,
      peers,
      nodes,
      regions,
      workers,
      timing,
      log,
      maxChildren,
      failback: config.MERIDIAN_FAILBACK === 'on',
    });
    closers.push(() => streams.close());

    const sweep = new Sweep({ self, streamMap, peers, regions, background, timing, log });
    closers.push(() => sweep.close());

    let state: NodeState = 'SERVING';
    const load = (): NodeLoad => ({
      ...streams.load,
      cpu: workers.usage.cpu,
      memory: workers.usage.memory + process.memoryUsage.rss(),
    });
    const limits = {
      publishers: config.maxPublishers,
      viewers: config.maxViewers,
      cpu: config.MERIDIAN_CPU_LIMIT,
    };

    const certificate = await makeCertificate(nodeId);
    const control = await ControlServer.listen({
      address: config.MERIDIAN_CONTROL_ADDRESS,
      port: config.MERIDIAN_CONTROL_PORT,
      certificate,
      clusterKey: config.MERIDIAN_CLUSTER_KEY,
      incarnation: self.incarnation,
      routes: controlRoutes({
        self,
        group: config.MERIDIAN_NODE_GROUP,
        state: () => state,
        load,
        limits,
        requestLimits: new RequestLimits({
          limits: config.MERIDIAN_RATE_LIMITS,
          onRefusal: (refusal) => log.warn(refusal, 'a rate limit refuses requests'),
        }),
        streams,
        workers,
        peers,
        sweep,
      }),
      log,
    });
    closers.push(() => control.close());

    const record = (): Omit<NodeRecord, 'heartbeatAt' | 'registryMs'> => ({
      ...self,
      group: config.MERIDIAN_NODE_GROUP,
      state,
      startedAt,
      control: `${bracketed(config.MERIDIAN_PRIVATE_ADDRESS)}:${control.port}`,
      fingerprint: certificate.fingerprint,
      mediaAddresses: [...new Set([config.MERIDIAN_PRIVATE_ADDRESS, config.MERIDIAN_PUBLIC_ADDRESS])],
      load: load(),
      limits,
    });
    const registration = await Registration.start({ registry, record, interval: timing.heartbeat, log });
    closers.push(() => registration.close());
    const listKeeper = new NodeListKeeper({ self, registry, store: nodeLists, timing, log });
    closers.push(() => listKeeper.close());
    log.info({ region, incarnation: self.incarnation }, 'serving');
    return {
      nodeId,
      drain: (signal) => {
        state = 'DRAINING';
        return drain({ streams, api: config.regionApi, deadline: timing.drain, signal, log });
      },
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

const bracketed = (address: string) => (address.includes(':') ? `[${address}]` : address);
