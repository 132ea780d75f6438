// A node as the registry knows it: where it is, what it can take, and whether it is alive.

import * as z from 'zod';
import { incarnation, nodeId, regionId } from './names.ts';

/** Origin nodes take publishers, edge nodes take viewers and become secondary origins. */
export const nodeGroup = z.enum(['origin', 'edge']);
export type NodeGroup = z.infer<typeof nodeGroup>;

export const nodeState = z.enum(['STARTING', 'SERVING', 'DRAINING']);
export type NodeState = z.infer<typeof nodeState>;

export const nodeLoad = z.object({
  publishers: z.number().int().min(0),
  viewers: z.number().int().min(0),
  /** Legs in and out. */
  legs: z.number().int().min(0),
  /** The busiest worker's share of its core, 0 to 1. */
  cpu: z.number().min(0),
  /** Bytes of resident memory, the node's process and its workers'. */
  memory: z.number().int().min(0),
});
export type NodeLoad = z.infer<typeof nodeLoad>;

export const nodeLimits = z.object({
  publishers: z.number().int().min(0),
  viewers: z.number().int().min(0),
  cpu: z.number().min(0.05).max(1),
});
export type NodeLimits = z.infer<typeof nodeLimits>;

export const nodeRecord = z.object({
  nodeId,
  region: regionId,
  incarnation,
  group: nodeGroup,
  state: nodeState,
  /** Milliseconds since 1970, by the node's clock (NTP keeps nodes within milliseconds of each other). */
  heartbeatAt: z.number().int(),
  startedAt: z.number().int(),
  /** Milliseconds that the heartbeat before this one took to be written. */
  registryMs: z.number().min(0),
  /** Where the control server listens, for functions and nodes of the region: `host:port`. */
  control: z.string().regex(/^.+:\d+$/),
  /** SHA-256 of the control server's certificate, hex: callers accept this one and no other. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  /** The addresses that the node's legs may come from; a leg to anywhere else is refused. */
  mediaAddresses: z.array(z.string()).min(1),
  load: nodeLoad,
  limits: nodeLimits,
});
export type NodeRecord = z.infer<typeof nodeRecord>;

/**
 * The nodes that count as alive at `now`: beaten within `deadAfter` ms. When *every* heartbeat looks stale it is
 * the registry that stands still, and nobody is dead: killing the whole fleet's claims would turn an outage of
 * DynamoDB into an outage of media (LiveKit issue 4663).
 */
export function aliveNodes(records: readonly NodeRecord[], now: number, deadAfter: number): NodeRecord[] {
  const fresh = records.filter((record) => isFresh(record, now, deadAfter));
  return fresh.length > 0 ? fresh : [...records];
}

/** Whether the node has beaten within `deadAfter` ms before `now`. */
export const isFresh = ({ heartbeatAt }: NodeRecord, now: number, deadAfter: number): boolean =>
  now - heartbeatAt < deadAfter;

/** How full a node is for a session of this kind, 0 (empty) to 1 and above (full). */
export function fullness(record: NodeRecord, kind: 'publishers' | 'viewers'): number {
  const limit = record.limits[kind];
  const sessions = limit === 0 ? 1 : record.load[kind] / limit;
  return Math.max(sessions, record.load.cpu / record.limits.cpu);
}
