// Two minutes of chaos with a fixed seed: whatever is killed, frozen or cut, the tree is right again and viewers stay.

import { afterAll, expect, test } from 'vitest';
import { runChaos } from '#chaos/run.ts';

const MINUTES = 1.5;
const SEED = 20_261;
/** ms: the run itself, its start, the last event's end and everybody's leave. */
const DEADLINE = 320_000;

const stop = new AbortController();
afterAll(() => stop.abort());

test(
  'the invariants hold after every event, and no viewer of a node that stayed needs a new session',
  async () => {
    const { events, broken } = await runChaos({
      minutes: MINUTES,
      seed: SEED,
      signal: stop.signal,
      log: (line) => process.stderr.write(`${line}\n`),
    });
    expect(events.length).toBeGreaterThan(3);
    expect(broken).toEqual([]);
    expect(events.map(({ kind, target, broken: wrong }) => ({ kind, target, wrong }))).toEqual(
      events.map(({ kind, target }) => ({ kind, target, wrong: [] })),
    );
    const stayed = events.flatMap(({ gaps }) => gaps.filter(({ edgeDied }) => !edgeDied));
    expect(stayed.filter(({ lost, renewed }) => lost + renewed > 0)).toEqual([]);
  },
  DEADLINE,
);
