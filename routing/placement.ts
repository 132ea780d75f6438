// Choosing a node for a session: filtered by group, state and room, then the better of two taken at random.

import { fullness, type NodeGroup, type NodeRecord } from './node-record.ts';

export interface PlacementRequest {
  kind: 'publishers' | 'viewers';
  group: NodeGroup;
  /** Nodes that already refused this session or could not be reached. */
  exclude: ReadonlySet<string>;
  /** A number in [0, 1); tests give their own. */
  random?: () => number;
}

/**
 * The node to try next, or undefined when none has room. Two at random and the less full of them: a snapshot that
 * is half a second old then sends no stampede to the one node that looked emptiest (Mitzenmacher, "The Power of
 * Two Choices in Randomized Load Balancing", 2001).
 * @param nodes the region's alive nodes.
 */
export function placeSession(
  nodes: readonly NodeRecord[],
  request: PlacementRequest,
): NodeRecord | undefined {
  const { kind, group, exclude, random = Math.random } = request;
  const candidates = nodes.filter(
    (node) =>
      node.group === group &&
      node.state === 'SERVING' &&
      !exclude.has(node.nodeId) &&
      fullness(node, kind) < 1,
  );
  if (candidates.length <= 1) return candidates[0];
  const first = Math.floor(random() * candidates.length);
  const second = (first + 1 + Math.floor(random() * (candidates.length - 1))) % candidates.length;
  const [a, b] = [candidates[first], candidates[second]];
  if (a === undefined || b === undefined) return a ?? b;
  return fullness(b, kind) < fullness(a, kind) ? b : a;
}
