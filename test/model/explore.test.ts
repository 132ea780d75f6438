// Every order of events in each small world: no promise broken on the way, at rest, or when all have left.

import { expect, it } from 'vitest';
import { explore } from './explore.ts';
import { scenarios } from './scenarios.ts';
import { World } from './world.ts';

/** Beyond it the rest of a scenario's states is left to chance: random.test.ts. */
const MOST_STATES = 36_000;

it.each(Object.entries(scenarios))('%s', { timeout: 60_000 }, (name, setup) => {
  const { states, complete, broken } = explore(new World(setup), MOST_STATES);
  console.log(`${name}: ${states} states${complete ? '' : ', bound reached'}`);
  expect(broken).toBeUndefined();
});
