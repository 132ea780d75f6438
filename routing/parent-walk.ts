// Finding a parent with room: one that feeds as many children as it may names some of them, and so on down the tree.

import type { LegAnswer } from './node-messages.ts';
import type { NodeRecord } from './node-record.ts';
import { Problem, unavailable } from './problem.ts';
import { shuffled } from './shuffled.ts';

/** Nodes that are asked in all: a tree of 32 children a node has a million leaves at level 4, and some of them refuse. */
const MAX_ASKED = 8;

/**
 * Asks `first` for a leg, and those that it names instead, in any order, until one feeds the child. One that is named
 * may have lost the stream, or have no room either: then the next is asked.
 * @param nodes where the named ones are looked up: the region's living nodes.
 * @param ask puts the request to a node.
 * @throws Problem 503 when none has room; what `ask` throws of `first`, and NodeUnreachable of any.
 */
export async function askParents(
  first: NodeRecord,
  nodes: readonly NodeRecord[],
  ask: (node: NodeRecord) => Promise<LegAnswer>,
): Promise<Exclude<LegAnswer, { result: 'elsewhere' }>> {
  const known = new Set([first.nodeId]);
  const next = [first];
  for (let asked = 0; asked < MAX_ASKED; asked += 1) {
    const node = next.pop();
    if (node === undefined) break;
    const answer = await ask(node).catch((error: unknown) => {
      if (node !== first && error instanceof Problem) return undefined;
      throw error;
    });
    if (answer === undefined) continue;
    if (answer.result !== 'elsewhere') return answer;
    const named = nodes.filter(({ nodeId }) => answer.nodeIds.includes(nodeId) && !known.has(nodeId));
    for (const { nodeId } of named) known.add(nodeId);
    // Those below before those beside, and last of them those that are to end: one that feeds others cannot.
    const [serving, ending] = [named.filter(serves), named.filter((one) => !serves(one))];
    next.push(...shuffled(ending), ...shuffled(serving));
  }
  throw noRoom(first);
}

const serves = ({ state }: NodeRecord): boolean => state === 'SERVING';

const noRoom = ({ region }: NodeRecord): Problem =>
  unavailable('no-room', `no node of ${region} that has the stream can feed another child now`);
