// The token bucket: never more than it promises, never less, each key for itself, in bounded memory.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RateLimit } from '#routing/rate-limit.ts';

const rate = fc.record({
  burst: fc.integer({ min: 1, max: 50 }),
  perSecond: fc.double({ min: 0.01, max: 1_000, noNaN: true }),
});
/** Milliseconds between one request and the next. */
const pauses = fc.array(fc.double({ min: 0, max: 3_000, noNaN: true }), { minLength: 1, maxLength: 200 });

/** The times of those that were let through. */
function passed(limit: RateLimit, times: readonly number[], key = 'a'): number[] {
  return times.filter((now) => limit.take(key, now) === 0);
}

const timesOf = (given: readonly number[]): number[] => {
  let now = 1_000_000;
  return given.map((pause) => {
    now += pause;
    return now;
  });
};

it('in no stretch of time are more let through than the burst and what came in meanwhile', () => {
  fc.assert(
    fc.property(rate, pauses, (given, between) => {
      const through = passed(new RateLimit(given), timesOf(between));
      for (const [first, from] of through.entries()) {
        for (const [last, to] of through.entries()) {
          if (last < first) continue;
          const most = given.burst + (given.perSecond * (to - from)) / 1_000;
          // A thousandth: times are rounded.
          expect(last - first + 1).toBeLessThanOrEqual(most + 0.001 * (1 + given.perSecond));
        }
      }
    }),
  );
});

it('who waits as long as told is let through, and not one who comes sooner', () => {
  fc.assert(
    fc.property(rate, pauses, (given, between) => {
      const limit = new RateLimit(given);
      const times = timesOf(between);
      passed(limit, times);
      let now = times.at(-1) ?? 0;
      for (let refusals = 0; refusals < 3; ) {
        const wait = limit.take('a', now);
        if (wait === 0) continue;
        refusals += 1;
        expect(limit.take('a', now + wait / 2), 'too soon').toBeGreaterThan(0);
        now += wait;
        expect(limit.take('a', now)).toBe(0);
      }
    }),
  );
});

it('who asks too often does not push the next time away', () => {
  const limit = new RateLimit({ burst: 1, perSecond: 1 });
  expect(limit.take('a', 0)).toBe(0);
  for (let now = 0; now < 999; now += 1) expect(limit.take('a', now)).toBe(1_000 - now);
  expect(limit.take('a', 1_000)).toBe(0);
});

it('a key’s requests cost another’s nothing', () => {
  const limit = new RateLimit({ burst: 3, perSecond: 1 });
  expect(passed(limit, Array<number>(100).fill(5), 'a')).toHaveLength(3);
  expect(passed(limit, Array<number>(100).fill(5), 'b')).toHaveLength(3);
});

it('keys whose buckets are full again are forgotten', () => {
  const limit = new RateLimit({ burst: 2, perSecond: 1 });
  for (let key = 0; key < 100; key += 1) limit.take(String(key), 0);
  limit.take('twice', 0);
  limit.take('twice', 0);
  expect(limit.size).toBe(101);
  limit.take('later', 1_500);
  expect(limit.size, 'the one that is not full, and the new one').toBe(2);
  limit.take('later', 2_500);
  expect(limit.size).toBe(1);
});

it('however many keys come, no more are remembered than may be; the last ones are', () => {
  const limit = new RateLimit({ burst: 1, perSecond: 1 }, 10);
  for (let key = 0; key < 1_000; key += 1) limit.take(String(key), 0);
  expect(limit.size).toBe(10);
  expect(limit.take('995', 0)).toBeGreaterThan(0);
});

it('who is refused stays remembered for as long as it asks, whoever else comes', () => {
  const limit = new RateLimit({ burst: 1, perSecond: 1 }, 10);
  limit.take('flood', 0);
  for (let key = 0; key < 1_000; key += 1) {
    limit.take(String(key), 0);
    expect(limit.take('flood', 0)).toBeGreaterThan(0);
  }
});
