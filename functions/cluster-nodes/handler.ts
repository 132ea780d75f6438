// The nodes of all regions under /rest/v2/cluster-nodes, in Ant Media's shape (its ClusterNode and SimpleStat).

import * as z from 'zod';
import { aliveNodes } from '#routing/node-record.ts';
import { Problem } from '#routing/problem.ts';
import type { FunctionContext } from '../context.ts';
import { here } from '../here.ts';
import { askRegions, json, requireSecret } from '../http/control-api.ts';
import { endpoint, type HttpAnswer, type HttpEvent, pathParameter } from '../http/endpoint.ts';

const clusterNode = z.object({
  id: z.string(),
  ip: z.string(),
  lastUpdateTime: z.number(),
  /** Resident bytes of the node and its workers. */
  memory: z.string(),
  /** Percent of the busiest worker's core. */
  cpu: z.string(),
  /** The name is spelt as Ant Media spells it. Milliseconds of the last heartbeat's write. */
  dbQueryAveargeTimeMs: z.number(),
  status: z.enum(['alive', 'dead']),
  nodeGroup: z.string(),
});
type ClusterNode = z.infer<typeof clusterNode>;

async function nodesHere({ routes, timing, region }: FunctionContext): Promise<ClusterNode[]> {
  const { nodes, at } = await routes.nodes();
  const alive = new Set(aliveNodes(nodes, at, timing.nodeDeadAfter));
  return nodes.map((record) => ({
    id: record.nodeId,
    ip: record.mediaAddresses.at(-1) ?? '',
    lastUpdateTime: record.heartbeatAt,
    memory: String(record.load.memory),
    cpu: String(Math.round(record.load.cpu * 100)),
    dbQueryAveargeTimeMs: record.registryMs,
    status: alive.has(record) ? 'alive' : 'dead',
    nodeGroup: region.id,
  }));
}

async function allNodes(event: HttpEvent): Promise<ClusterNode[]> {
  await requireSecret(here, event);
  const parts = await askRegions(here, { event, own: () => nodesHere(here), answer: z.array(clusterNode) });
  return parts.flat();
}

/** The others are asked for their lists, whichever of the three paths was called. */
const asList = (event: HttpEvent): HttpEvent => ({
  ...event,
  requestContext: {
    ...event.requestContext,
    http: { ...event.requestContext.http, path: '/rest/v2/cluster-nodes' },
  },
});

async function one(event: HttpEvent): Promise<HttpAnswer> {
  const id = pathParameter(event, 'nodeId');
  const node = (await allNodes(asList(event))).find((candidate) => candidate.id === id);
  if (node === undefined) throw new Problem(404, 'unknown-node', `there is no node ${id}`);
  return json(200, node);
}

export const handler = endpoint({
  routes: [
    {
      method: 'GET',
      path: '/rest/v2/cluster-nodes',
      handle: async (event) => json(200, await allNodes(event)),
    },
    {
      method: 'GET',
      path: '/rest/v2/cluster-nodes/count',
      handle: async (event) => json(200, { number: (await allNodes(asList(event))).length }),
    },
    { method: 'GET', path: '/rest/v2/cluster-nodes/{nodeId}', handle: one },
  ],
  // Ant Media's Result.
  errorBody: ({ message }) => ({
    contentType: 'application/json',
    body: JSON.stringify({ success: false, message }),
  }),
});
