// All that the model knows at one moment, as plain data that is never changed in place, and a key for it.

import type { OriginClaim, RegionClaim, StreamClaims } from '#routing/claims.ts';
import { type Claim, emptyReplicas, type Replicas } from './replicas.ts';
import { known } from './violation.ts';

/** A leg as its child knows it. `order` is its number among the requests that came to that start of the parent. */
export interface Leg {
  readonly parent: number;
  readonly life: number;
  readonly order: number;
  readonly generation: number;
  readonly crossing: boolean;
  /** Of the claim that the child acted on. */
  readonly epoch: number;
  /** From the origin to the parent, as the parent knew it when it accepted. */
  readonly path: readonly string[];
}

/** A leg as its parent knows it. */
export interface Child {
  readonly node: number;
  readonly life: number;
  readonly epoch: number;
  readonly order: number;
  readonly generation: number;
}

export type Source =
  | { readonly kind: 'publisher'; readonly session: number; readonly path: readonly string[] }
  | ({ readonly kind: 'leg' } & Leg);

/** Where a pull stands between two of its awaits. */
export type Pull =
  | { readonly step: 'look' }
  | { readonly step: 'claim'; readonly claim: RegionClaim; readonly seen: RegionClaim | undefined }
  | {
      readonly step: 'ask';
      readonly node: number;
      readonly life: number;
      readonly epoch: number;
      readonly crossing: boolean;
      /** How often a full parent has named one of its children instead. */
      readonly depth: number;
    }
  | { readonly step: 'cross'; readonly region: string; readonly epoch: number }
  /** The parent has accepted; the child has not heard of it yet. */
  | { readonly step: 'answer'; readonly leg: Leg }
  | { readonly step: 'fed' };

export interface Node {
  readonly alive: boolean;
  /** Counts its starts: the incarnation. */
  readonly life: number;
  readonly viewers: boolean;
  /** `handing-over` until the release of its role stands in its region's replica. */
  readonly drain: 'serving' | 'handing-over' | 'handed-over';
  readonly source: Source | null;
  readonly generation: number;
  readonly children: readonly Child[];
  readonly requests: number;
  readonly pull: Pull | null;
  /** The region's claim that its pull believes to hold. */
  readonly claim: RegionClaim | null;
  /** Releases on their way to the map. */
  readonly releases: readonly Claim[];
}

/** How a publisher's media comes in; `unsteady` after a silence and at first. */
export type Flow = 'steady' | 'silent' | 'unsteady';

export interface Session {
  readonly phase: 'to-come' | 'read' | 'write' | 'held' | 'over';
  /** What it read before it writes. */
  readonly read: StreamClaims | null;
  readonly claim: OriginClaim | null;
  readonly active: boolean;
  readonly flow: Flow;
}

/** What may yet happen of what nobody wishes or awaits. */
export interface Budget {
  readonly crash: number;
  readonly restart: number;
  /** A node takes the living secondary origin of its region for dead: the two cannot reach each other. */
  readonly suspect: number;
  /** A region's sweep takes a living origin for dead. */
  readonly misjudge: number;
  readonly silence: number;
  readonly unpublish: number;
  readonly join: number;
  readonly leave: number;
  readonly drain: number;
  /** A node is told of a new origin before its parent acts on it. */
  readonly notice: number;
}

export interface State {
  readonly map: Replicas;
  readonly nodes: readonly Node[];
  readonly sessions: readonly Session[];
  readonly budget: Budget;
  /** Seconds, one for each origin claim: enough to tell starts apart, and to confuse them by skew. */
  readonly clock: number;
}

export interface NodeSpec {
  readonly nodeId: string;
  readonly region: string;
  /** Seconds that its clock is ahead. */
  readonly skew: number;
}

/** A publisher that connects to a node, at any time, once. */
export interface Publishing {
  readonly node: number;
  readonly priority: number;
  readonly tokenId: string;
}

export interface Setup {
  readonly regions: readonly string[];
  readonly nodes: readonly NodeSpec[];
  readonly publishing: readonly Publishing[];
  /** Publishers that wait for the one before them: a client that moves rather than two at once. */
  readonly inTurn: boolean;
  /** The nodes with viewers at first. */
  readonly watching: readonly number[];
  /** The nodes that may crash, be emptied, or be joined and left. */
  readonly mayCrash: readonly number[];
  readonly mayDrain: readonly number[];
  readonly mayJoin: readonly number[];
  readonly budget: Budget;
  readonly maxChildren: number;
}

export const NO_BUDGET: Budget = {
  crash: 0,
  restart: 0,
  suspect: 0,
  misjudge: 0,
  silence: 0,
  unpublish: 0,
  join: 0,
  leave: 0,
  drain: 0,
  notice: 0,
};

export const BORN: Node = {
  alive: true,
  life: 1,
  viewers: false,
  drain: 'serving',
  source: null,
  generation: 0,
  children: [],
  requests: 0,
  pull: null,
  claim: null,
  releases: [],
};

export const firstState = ({ regions, nodes, publishing, watching, budget }: Setup): State => ({
  map: emptyReplicas(regions),
  nodes: nodes.map((_, index) =>
    watching.includes(index) ? { ...BORN, viewers: true, pull: { step: 'look' } } : BORN,
  ),
  sessions: publishing.map(() => ({
    phase: 'to-come',
    read: null,
    claim: null,
    active: false,
    flow: 'unsteady',
  })),
  budget,
  clock: 0,
});

export const nodeAt = ({ nodes }: Pick<State, 'nodes'>, index: number): Node =>
  known(nodes[index], `node ${index}`);

export const sessionAt = ({ sessions }: State, index: number): Session =>
  known(sessions[index], `session ${index}`);

export const withNode = (state: State, index: number, change: Partial<Node>): State => ({
  ...state,
  nodes: state.nodes.map((node, at) => (at === index ? { ...node, ...change } : node)),
});

export const withSession = (state: State, index: number, change: Partial<Session>): State => ({
  ...state,
  sessions: state.sessions.map((session, at) => (at === index ? { ...session, ...change } : session)),
});

/**
 * The same key for the same state, short enough to keep a million. A state shares what did not change with the one
 * before, so that each part is written out once.
 */
export class Keys {
  readonly #numbers = new Map<string, number>();
  readonly #known = new WeakMap<object, number>();

  of({ map, nodes, sessions, budget, clock }: State): string {
    const parts: object[] = [...Object.values(map.at), ...nodes, ...sessions, budget];
    for (const { item } of map.mail) parts.push(item);
    const mail = map.mail.map(({ to }) => to).join('');
    return `${clock} ${mail} ${parts.map((part) => this.#numberOf(part).toString(36)).join()}`;
  }

  #numberOf(part: object): number {
    const number = this.#known.get(part);
    if (number !== undefined) return number;
    const text = JSON.stringify(part);
    const found = this.#numbers.get(text) ?? this.#numbers.size;
    this.#numbers.set(text, found);
    this.#known.set(part, found);
    return found;
  }
}
