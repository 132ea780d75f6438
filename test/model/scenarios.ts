// Small worlds, each around one danger, small enough to see every order in which things can happen.

import { NO_BUDGET, type Setup } from './state.ts';

/** Nodes a1 a2 … b1 …: so many in each region; the clocks of every other one are 2 s ahead. */
export function nodesOf(counts: readonly number[]): Pick<Setup, 'regions' | 'nodes'> {
  const regions = ['a', 'b', 'c'].slice(0, counts.length);
  const nodes = regions.flatMap((region, at) =>
    Array.from({ length: counts[at] ?? 0 }, (_, nth) => ({
      nodeId: `${region}${nth + 1}`,
      region,
      skew: (at + nth) % 2 === 0 ? 2 : 0,
    })),
  );
  return { regions, nodes };
}

const calm = {
  inTurn: false,
  watching: [],
  mayCrash: [],
  mayDrain: [],
  mayJoin: [],
  budget: NO_BUDGET,
  maxChildren: 32,
};

const camera = { priority: 1, tokenId: 'camera' };
const backup = { priority: 0, tokenId: 'backup' };

export const scenarios: Record<string, Setup> = {
  'two regions publish at once': {
    ...calm,
    ...nodesOf([1, 1, 1]),
    publishing: [
      { node: 0, ...camera },
      { node: 1, ...camera },
    ],
    watching: [2],
  },
  'two tokens claim one priority at once': {
    ...calm,
    ...nodesOf([2, 1]),
    publishing: [
      { node: 0, ...camera },
      { node: 1, ...camera, tokenId: 'another' },
      { node: 2, ...camera },
    ],
  },
  'the secondary origin crashes while two edges want its role': {
    ...calm,
    ...nodesOf([1, 3]),
    publishing: [{ node: 0, ...camera }],
    watching: [1, 2, 3],
    mayCrash: [1],
    budget: { ...NO_BUDGET, crash: 1 },
  },
  'a secondary origin restarts': {
    ...calm,
    ...nodesOf([1, 2]),
    publishing: [{ node: 0, ...camera }],
    watching: [1],
    mayCrash: [1],
    mayJoin: [1, 2],
    budget: { ...NO_BUDGET, crash: 1, restart: 1, join: 2 },
  },
  'an origin crashes, with a standby': {
    ...calm,
    ...nodesOf([2, 1]),
    publishing: [
      { node: 0, ...camera },
      { node: 2, ...backup },
    ],
    watching: [1, 2],
    mayCrash: [0],
    budget: { ...NO_BUDGET, crash: 1 },
  },
  'a publisher moves to another region': {
    ...calm,
    ...nodesOf([2, 1]),
    publishing: [
      { node: 0, ...camera },
      { node: 2, ...camera },
    ],
    inTurn: true,
    watching: [1, 2],
  },
  'a claim of an old epoch is late': {
    ...calm,
    ...nodesOf([1, 2]),
    publishing: [{ node: 0, ...camera }],
    watching: [1, 2],
    budget: { ...NO_BUDGET, suspect: 2 },
  },
  'a secondary origin drains while another edge comes': {
    ...calm,
    ...nodesOf([1, 2]),
    publishing: [{ node: 0, ...camera }],
    watching: [1],
    mayDrain: [1],
    mayJoin: [2],
    budget: { ...NO_BUDGET, drain: 1, join: 1 },
  },
  'two edges drain, and the second has an edge below it': {
    ...calm,
    ...nodesOf([1, 3]),
    publishing: [{ node: 0, ...camera }],
    watching: [1, 2],
    mayDrain: [1, 2],
    mayJoin: [3],
    budget: { ...NO_BUDGET, drain: 2, join: 1 },
  },
  'who took the secondary origin for dead dies': {
    ...calm,
    ...nodesOf([1, 2]),
    publishing: [{ node: 0, ...camera }],
    watching: [1, 2],
    mayCrash: [2],
    budget: { ...NO_BUDGET, suspect: 1, crash: 1 },
  },
  'a silent publisher with a redundant one': {
    ...calm,
    ...nodesOf([1, 1]),
    publishing: [
      { node: 0, ...camera },
      { node: 1, ...backup },
    ],
    watching: [0, 1],
    budget: { ...NO_BUDGET, silence: 1, unpublish: 1 },
  },
  'an origin with an edge becomes a standby': {
    ...calm,
    ...nodesOf([3]),
    publishing: [
      { node: 0, ...backup },
      { node: 1, ...camera },
    ],
    watching: [2],
    budget: { ...NO_BUDGET, silence: 1 },
  },
  'a living origin is taken for dead': {
    ...calm,
    ...nodesOf([2, 1]),
    publishing: [
      { node: 0, ...camera },
      { node: 1, ...camera },
    ],
    inTurn: true,
    watching: [2],
    budget: { ...NO_BUDGET, misjudge: 1 },
  },
  'viewers leave and come back': {
    ...calm,
    ...nodesOf([1, 2]),
    publishing: [{ node: 0, ...camera }],
    watching: [1],
    mayJoin: [1, 2],
    budget: { ...NO_BUDGET, join: 2, leave: 1 },
  },
  'a tree whose parents change': {
    ...calm,
    ...nodesOf([1, 3]),
    publishing: [{ node: 0, ...camera }],
    watching: [1, 2, 3],
    budget: { ...NO_BUDGET, suspect: 1 },
    maxChildren: 1,
  },
  'a living origin is taken for dead, with another at hand': {
    ...calm,
    ...nodesOf([2]),
    publishing: [
      { node: 0, ...backup },
      { node: 1, ...camera },
    ],
    watching: [0],
    budget: { ...NO_BUDGET, misjudge: 1 },
  },
  'two publishers of one node': {
    ...calm,
    ...nodesOf([2]),
    publishing: [
      { node: 0, ...backup },
      { node: 0, ...camera },
    ],
    watching: [1],
    budget: { ...NO_BUDGET, unpublish: 1, silence: 1 },
  },
  'the active one of a node’s two publishers leaves, and the next is elsewhere': {
    ...calm,
    ...nodesOf([3]),
    publishing: [
      { node: 0, ...camera, priority: 2 },
      { node: 0, ...backup },
      { node: 1, ...camera },
    ],
    inTurn: true,
    watching: [2],
    budget: { ...NO_BUDGET, unpublish: 1 },
  },
  'a full origin sends two secondary origins to different children': {
    ...calm,
    ...nodesOf([3, 2]),
    publishing: [{ node: 0, ...camera }],
    watching: [1, 2, 3, 4],
    budget: { ...NO_BUDGET, suspect: 1 },
    maxChildren: 2,
  },
};
