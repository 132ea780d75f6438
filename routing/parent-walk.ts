// Finding a parent with room: one that feeds as many children as it may names some of them, and so on down the tree.

import type { LegAnswer } from './node-messages.ts';
import type { NodeRecord } from './node-record.ts';
import { type Problem, unavailable } from './problem.ts';

/** How deep a child is sent: a tree of 32 children a node has a million leaves at level 4. */
const MAX_DEPTH = 6;

/**
 * Asks `first` for a leg, and one of those that it names instead, taken at random, until one feeds the child.
 * @param nodes where the named ones are looked up: the region's living nodes.
 * @param ask puts the request to a node.
 * @throws Problem 503 when none has room; what `ask` throws.
 */
export async function askParents(
  first: NodeRecord,
  nodes: readonly NodeRecord[],
  ask: (node: NodeRecord) => Promise<LegAnswer>,
): Promise<Exclude<LegAnswer, { result: 'elsewhere' }>> {
  let asked = first;
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    const answer = await ask(asked);
    if (answer.result !== 'elsewhere') return answer;
    const named = nodes.filter(({ nodeId }) => answer.nodeIds.includes(nodeId));
    const next = named[Math.floor(Math.random() * named.length)];
    if (next === undefined) throw noRoom(first);
    asked = next;
  }
  throw noRoom(first);
}

const noRoom = ({ region }: NodeRecord): Problem =>
  unavailable('no-room', `no node of ${region} that has the stream can feed another child now`);
