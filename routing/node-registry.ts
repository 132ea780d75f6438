// The registry of a region's nodes: who is there, where, and how full.

import type { NodeRecord } from './node-record.ts';

export interface NodeRegistry {
  /** Writes the node's whole item: its registration and its heartbeat are the same call. */
  beat(record: NodeRecord, signal?: AbortSignal): Promise<void>;

  /** Removes the item of a node that stops, unless a newer incarnation has registered meanwhile. */
  remove(record: Pick<NodeRecord, 'nodeId' | 'incarnation'>): Promise<void>;

  /** Every registered node, dead ones included: `aliveNodes` tells them apart. */
  list(): Promise<NodeRecord[]>;
}
