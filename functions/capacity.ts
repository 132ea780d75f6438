// Whether a region's nodes can take sessions: what /healthz says, and what region-health acts on.

import { fullness, isFresh, type NodeGroup, type NodeRecord, nodeGroup } from '#routing/node-record.ts';

export interface Capacity {
  /** Each group has a SERVING node with room. */
  canServe: boolean;
  groups: Record<NodeGroup, { serving: number; withRoom: number }>;
}

/**
 * Where no heartbeat is fresh the nodes are dead or the registry stands still: either way new sessions do well to go
 * elsewhere.
 * @param deadAfter ms, the age at which a heartbeat is stale.
 */
export function capacityOf(nodes: readonly NodeRecord[], now: number, deadAfter: number): Capacity {
  const fresh = nodes.filter((node) => isFresh(node, now, deadAfter));
  const of = (group: NodeGroup) => {
    const kind = group === 'origin' ? 'publishers' : 'viewers';
    const serving = fresh.filter((node) => node.group === group && node.state === 'SERVING');
    return { serving: serving.length, withRoom: serving.filter((node) => fullness(node, kind) < 1).length };
  };
  const groups = { origin: of('origin'), edge: of('edge') };
  return { canServe: nodeGroup.options.every((group) => groups[group].withRoom > 0), groups };
}
