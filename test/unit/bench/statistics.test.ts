// Percentiles and medians of a handful of measurements.

import { expect, it } from 'vitest';
import { median, percentile, spread } from '#bench/statistics.ts';

it('a median is the one in the middle, or the mean of the two', () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([7]), median([])]).toEqual([2, 2.5, 7, Number.NaN]);
});

it('other percentiles are of what was measured', () => {
  const values = Array.from({ length: 200 }, (_, index) => index + 1);
  expect([percentile(values, 95), percentile(values, 99), percentile(values, 100)]).toEqual([190, 198, 200]);
});

it('a spread says the least and the most', () => {
  expect(spread([1.25, 0.5, 1, 2], 2)).toBe('1.13 (0.50–2.00)');
  expect(spread([], 2)).toBe('');
});
