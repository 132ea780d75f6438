// Every state that a small world can get into, breadth first, so that the first violation has the shortest story.

import { checkAlways } from './invariants.ts';
import { Quiet } from './quiet.ts';
import { firstState, Keys, type State } from './state.ts';
import { known, Violation } from './violation.ts';
import type { World } from './world.ts';

export interface Explored {
  states: number;
  /** False: the bound was reached first. */
  complete: boolean;
  /** What was broken, and the steps that led there. */
  broken: { what: string; story: string[] } | undefined;
}

export function explore(world: World, mostStates: number): Explored {
  const keys = new Keys();
  const quiet = new Quiet(world, keys);
  const first = firstState(world.setup);
  const from: { at: number; name: string }[] = [{ at: -1, name: '' }];
  const seen = new Set([keys.of(first)]);
  let frontier: { state: State; at: number }[] = [{ state: first, at: 0 }];
  const story = (at: number): string[] => {
    const names: string[] = [];
    for (let step = at; step > 0; ) {
      const { at: before, name } = known(from[step], `step ${step}`);
      names.unshift(name);
      step = before;
    }
    return names;
  };
  while (frontier.length > 0) {
    const next: { state: State; at: number }[] = [];
    for (const { state, at } of frontier) {
      let last = '(at rest)';
      try {
        for (const actions of [world.steps(state), world.events(state)]) {
          for (const { name, next: reached } of actions) {
            last = name;
            const key = keys.of(reached);
            if (seen.has(key)) continue;
            seen.add(key);
            checkAlways(world, reached);
            next.push({ state: reached, at: from.push({ at, name }) - 1 });
          }
        }
        last = '(then quiet)';
        quiet.check(state);
      } catch (error) {
        if (!(error instanceof Violation)) throw error;
        return {
          states: seen.size,
          complete: false,
          broken: { what: error.message, story: [...story(at), last] },
        };
      }
      if (seen.size >= mostStates) return { states: seen.size, complete: false, broken: undefined };
    }
    frontier = next;
  }
  return { states: seen.size, complete: true, broken: undefined };
}
