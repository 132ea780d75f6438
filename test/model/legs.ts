// What the legs of a state are to each other: which stand, which are broken, who is watched through whom.

import { type Child, type Leg, nodeAt, type State } from './state.ts';

/** The leg that a node has, or that it was granted and has not heard of yet. */
export function legOf(state: State, index: number): Leg | undefined {
  const { alive, source, pull } = nodeAt(state, index);
  if (!alive) return undefined;
  if (source?.kind === 'leg') return source;
  return pull?.step === 'answer' ? pull.leg : undefined;
}

/** What the child would come to hear: silence, or a generation that is not its leg's. */
export function isBroken(state: State, leg: Leg): boolean {
  const parent = nodeAt(state, leg.parent);
  return (
    !parent.alive ||
    parent.life !== leg.life ||
    parent.generation !== leg.generation ||
    !parent.children.some(({ order }) => order === leg.order)
  );
}

/** Whether the child at the other end still has this leg. */
export function isKept(state: State, parent: number, child: Child): boolean {
  const leg = legOf(state, child.node);
  return nodeAt(state, child.node).life === child.life && leg?.parent === parent && leg.order === child.order;
}

/** Whether somebody watches at the node or below it. */
export function isWanted(state: State, index: number, above: readonly number[] = []): boolean {
  const { viewers, children } = nodeAt(state, index);
  if (viewers) return true;
  return children.some(
    (child) =>
      !above.includes(child.node) &&
      isKept(state, index, child) &&
      isWanted(state, child.node, [...above, index]),
  );
}
