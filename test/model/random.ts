// Long runs at random through a world of three regions with three nodes each.

import fc from 'fast-check';
import { checkAlways } from './invariants.ts';
import { Quiet } from './quiet.ts';
import type { Rules } from './rules.ts';
import { nodesOf } from './scenarios.ts';
import { firstState, type Publishing, type Setup, type State } from './state.ts';
import { Violation } from './violation.ts';
import { World } from './world.ts';

const { regions, nodes } = nodesOf([3, 3, 3]);
const all = [...nodes.keys()];

const publishing: fc.Arbitrary<Publishing> = fc.record({
  node: fc.nat({ max: nodes.length - 1 }),
  priority: fc.nat({ max: 1 }),
  tokenId: fc.constantFrom('camera', 'camera', 'camera', 'another'),
});

const setup: fc.Arbitrary<Setup> = fc.record({
  regions: fc.constant(regions),
  nodes: fc.tuple(...nodes.map((node) => fc.nat({ max: 2 }).map((skew) => ({ ...node, skew })))),
  publishing: fc.array(publishing, { minLength: 2, maxLength: 4 }),
  inTurn: fc.boolean(),
  watching: fc.subarray(all),
  mayCrash: fc.constant(all),
  mayDrain: fc.constant(all),
  mayJoin: fc.constant(all),
  budget: fc.record({
    crash: fc.nat({ max: 4 }),
    restart: fc.nat({ max: 4 }),
    suspect: fc.nat({ max: 3 }),
    misjudge: fc.nat({ max: 2 }),
    silence: fc.nat({ max: 3 }),
    unpublish: fc.nat({ max: 2 }),
    join: fc.nat({ max: 6 }),
    leave: fc.nat({ max: 6 }),
    drain: fc.nat({ max: 3 }),
    notice: fc.nat({ max: 3 }),
  }),
  // An origin has room for each other region, and one child of its own that others can be sent to.
  maxChildren: fc.constantFrom(3, 4, 32),
});

/** What happens next: mostly the system, now and then the world around it. */
const choice = fc.record({ event: fc.nat({ max: 9 }), index: fc.nat({ max: 1_000 }) });

/** A run: whatever it leads to, all promises are kept on the way, at rest, and when everybody has left. */
export const runs = (changed: Partial<Rules> = {}): fc.IPropertyWithHooks<unknown> =>
  fc.property(setup, fc.array(choice, { maxLength: 150, size: 'max' }), (drawn, choices) => {
    const world = new World(drawn, changed);
    const story: string[] = [];
    try {
      let state: State = firstState(drawn);
      for (const { event, index } of choices) {
        const steps = [...(event < 2 ? world.events(state) : world.steps(state))];
        const chosen = steps[index % Math.max(1, steps.length)];
        if (chosen === undefined) continue;
        state = chosen.next;
        story.push(chosen.name);
        checkAlways(world, state);
      }
      new Quiet(world).check(state);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      throw new Violation(`${error.message}, after: ${story.join('; ')}`);
    }
  });
