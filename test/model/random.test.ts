// Long random runs in three regions with three nodes each; fast-check prints the seed and the shortest run that fails.

import fc from 'fast-check';
import { it } from 'vitest';
import { runs } from './random.ts';

/** The same runs every time, so that a change that passes is not failed by luck; `MODEL_SEED` and `MODEL_RUNS` look further. */
const SEED = Number(process.env.MODEL_SEED ?? 20_261);
/** 600 a second. */
const RUNS = Number(process.env.MODEL_RUNS ?? 5_000);
if (!Number.isInteger(SEED)) throw new Error(`MODEL_SEED is ${process.env.MODEL_SEED}: a whole number`);
if (!(Number.isInteger(RUNS) && RUNS > 0))
  throw new Error(`MODEL_RUNS is ${process.env.MODEL_RUNS}: a whole number above 0`);

it('keeps every promise, whatever happens', { timeout: Math.max(120_000, RUNS * 20) }, () => {
  fc.assert(runs(), { seed: SEED, numRuns: RUNS });
});
