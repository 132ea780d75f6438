// A few events of chaos with a fixed seed: whatever is killed, frozen or cut, the tree is right again and viewers stay.

import { afterAll, expect, test } from 'vitest';
import { KIND_NAMES } from '#chaos/events.ts';
import { runChaos } from '#chaos/run.ts';

const EVENTS = 5;
const SEED = 20_261;
/** What the machine itself does is not tested. */
const KINDS = KIND_NAMES.filter((kind) => kind !== 'nothing');
/** ms. The start, every event until its last deadline, and the end are within it: a run that fails says what is broken, not that it was late. */
const DEADLINE = 1_000_000;

const stop = new AbortController();
afterAll(() => stop.abort());

test(
  'the invariants hold after every event, and no viewer of a node that stayed needs a new session',
  async () => {
    const { events, broken } = await runChaos({
      length: { events: EVENTS },
      seed: SEED,
      only: KINDS,
      signal: stop.signal,
      log: (line) => process.stderr.write(`${line}\n`),
    });
    expect(events).toHaveLength(EVENTS);
    expect(broken).toEqual([]);
    expect(events.map(({ kind, target, broken: wrong }) => ({ kind, target, wrong }))).toEqual(
      events.map(({ kind, target }) => ({ kind, target, wrong: [] })),
    );
    const stayed = events.flatMap(({ gaps }) => gaps.filter(({ edgeDied }) => !edgeDied));
    expect(stayed.filter(({ lost, renewed }) => lost + renewed > 0)).toEqual([]);
  },
  DEADLINE,
);
