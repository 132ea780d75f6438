// No more faults: all goes on by itself until it rests, and then everybody leaves.

import { checkAlways, checkAtRest, checkEmpty } from './invariants.ts';
import { Keys, nodeAt, type State } from './state.ts';
import { violation } from './violation.ts';
import type { World } from './world.ts';

/** Rounds until rest: 3,000 random runs needed 6 at most. */
const MOST_ROUNDS = 20;

/**
 * Everybody gets a turn in each round, one step of each kind, for a node that asks in vain must not keep others from
 * their turn. A round that leads nowhere is rest.
 */
export class Quiet {
  readonly #world: World;
  readonly #keys: Keys;
  /** States that are known to come to a good rest. */
  readonly #good = new Set<string>();

  constructor(world: World, keys = new Keys()) {
    this.#world = world;
    this.#keys = keys;
  }

  /** @throws Violation */
  check(from: State): void {
    const passed: string[] = [];
    let state = this.#emptyTheDraining(this.#replaceTheDead(from));
    let key = this.#keys.of(state);
    for (;;) {
      if (this.#good.has(key)) break;
      passed.push(key);
      if (passed.length > MOST_ROUNDS) violation(`no rest after ${MOST_ROUNDS} rounds`);
      state = this.#round(state);
      const next = this.#keys.of(state);
      if (next === key) {
        checkAtRest(this.#world, state);
        this.#checkEnd(state);
        break;
      }
      key = next;
    }
    for (const one of passed) this.#good.add(one);
  }

  /** The publishers leave, the grace ends; then all has to be free. */
  #checkEnd(state: State): void {
    const { publishing, nodes } = this.#world.setup;
    let left = publishing.reduce((after, _, index) => this.#world.unpublish(after, index), state);
    left = this.#rest(left);
    checkAtRest(this.#world, left);
    left = nodes.reduce((after, _, index) => {
      const { alive, pull } = nodeAt(after, index);
      return alive && pull ? this.#world.giveUp(after, index) : after;
    }, left);
    checkEmpty(this.#world, this.#rest(left));
  }

  #rest(from: State): State {
    let state = from;
    let key = this.#keys.of(state);
    for (let rounds = 0; rounds < MOST_ROUNDS; rounds += 1) {
      state = this.#round(state);
      const next = this.#keys.of(state);
      if (next === key) return state;
      key = next;
    }
    return violation(`no rest after ${MOST_ROUNDS} rounds once the publishers have gone`);
  }

  #round(from: State): State {
    let state = this.#world.deliverAll(from);
    for (const turn of this.#world.turns()) {
      // A look, a claim, an ask and an answer are one turn.
      for (let steps = 0; steps < 4; steps += 1) {
        const [action] = turn(state);
        if (action === undefined) break;
        state = action.next;
        checkAlways(this.#world, state);
      }
    }
    return state;
  }

  #emptyTheDraining(from: State): State {
    return from.nodes.reduce(
      (state, { alive, drain }, index) =>
        alive && drain !== 'serving' ? this.#world.sendAway(state, index) : state,
      from,
    );
  }

  /** A region that has lost all its nodes gets one: its Auto Scaling Group sees to it. */
  #replaceTheDead(from: State): State {
    const { regions, nodes } = this.#world.setup;
    return regions.reduce((state, region) => {
      const here = [...nodes.keys()].filter((index) => nodes[index]?.region === region);
      const [first] = here;
      if (first === undefined || here.some((index) => nodeAt(state, index).alive)) return state;
      return this.#world.restart(state, first);
    }, from);
  }
}
