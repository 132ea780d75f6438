// Long random runs in three regions with three nodes each; fast-check prints the seed and the shortest run that fails.

import fc from 'fast-check';
import { it } from 'vitest';
import { runs } from './random.ts';

it('keeps every promise, whatever happens', { timeout: 120_000 }, () => {
  fc.assert(runs(), { numRuns: 100_000, interruptAfterTimeLimit: 8_000 });
});
