// A short run of the fuzzer with a fixed seed: whatever is sent, nothing breaks, nothing is left, and others are served.

import { afterAll, expect, test } from 'vitest';
import { runFuzz } from '#fuzz/run.ts';

const CASES = 300;
const SEED = 20_261;
/** ms: the world's start, the cases, and everybody's leave. */
const DEADLINE = 120_000;

const stop = new AbortController();
afterAll(() => stop.abort());

test(
  'hostile offers, fragments, headers, tokens and paths are answered as they must be, and leave nothing behind',
  async () => {
    const { cases, counts, pictures, broken } = await runFuzz({
      cases: CASES,
      seed: SEED,
      signal: stop.signal,
      log: (line) => process.stderr.write(`${line}\n`),
    });
    expect(broken).toEqual([]);
    expect(cases).toBeGreaterThanOrEqual(CASES);
    expect(pictures).toBeGreaterThan(0);
    const answered = (entry: string, status: number) => counts.get(entry)?.get(status) ?? 0;
    // What is refused and what is taken: a run that only ever sees one of them proves nothing.
    for (const entry of ['offers', 'fragments', 'headers']) expect(answered(entry, 400)).toBeGreaterThan(0);
    for (const status of [201, 422]) expect(answered('offers', status)).toBeGreaterThan(0);
    expect(answered('tokens', 401)).toBeGreaterThan(0);
    expect(answered('paths', 404)).toBeGreaterThan(0);
  },
  DEADLINE,
);
