// That the model notices: each rule broken on purpose is found out by the scenario that is about it.

import { expect, it } from 'vitest';
import { explore } from './explore.ts';
import { mutations } from './mutations.ts';
import { scenarios } from './scenarios.ts';
import { known } from './violation.ts';
import { World } from './world.ts';

const MOST_STATES = 36_000;

it.each(Object.entries(mutations))('%s', { timeout: 60_000 }, (_, { rules, shownBy }) => {
  const setup = known(scenarios[shownBy], `the scenario ${shownBy}`);
  const { broken } = explore(new World(setup, rules), MOST_STATES);
  expect(broken).toBeDefined();
});
