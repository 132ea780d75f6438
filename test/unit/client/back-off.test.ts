import { expect, test } from 'vitest';
import { BackOff } from '#client/back-off.js';

const waits = (backOff: BackOff, retryAfter: number | undefined, count: number) =>
  Array.from({ length: count }, () => backOff.next(retryAfter));

test('the longest waits double up to 30 s', () => {
  const longest = new BackOff({ random: () => 1 });
  expect(waits(longest, undefined, 7)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test('a wait may be any shorter one, for those who were refused together must not come together', () => {
  expect(waits(new BackOff({ random: () => 0 }), undefined, 3)).toEqual([0, 0, 0]);
});

test('is never sooner than the server asked for, and grows from there', () => {
  expect(waits(new BackOff({ random: () => 0 }), 2_000, 3)).toEqual([2_000, 2_000, 2_000]);
  expect(waits(new BackOff({ random: () => 1 }), 2_000, 6)).toEqual([
    4_000, 4_000, 8_000, 16_000, 30_000, 30_000,
  ]);
});

test('leaves room for chance above what the server asked for, however long that is', () => {
  expect(waits(new BackOff({ random: () => 1 }), 60_000, 2)).toEqual([120_000, 120_000]);
});

test('no server can ask for a wait that a timer takes for none', () => {
  expect(waits(new BackOff({ random: () => 0 }), 2 ** 31, 2)).toEqual([3_600_000, 3_600_000]);
  expect(waits(new BackOff({ random: () => 1 }), Number.POSITIVE_INFINITY, 2)).toEqual([
    7_200_000, 7_200_000,
  ]);
  const grown = new BackOff({ first: 2 ** 40, most: 2 ** 40, random: () => 1 });
  expect(grown.next()).toBe(3_600_000);
});

test('begins anew when it is reset, and stays finite when it never is', () => {
  const backOff = new BackOff({ random: () => 1 });
  expect(waits(backOff, undefined, 2_000).at(-1)).toBe(30_000);
  backOff.reset();
  expect(backOff.next()).toBe(1_000);
});
