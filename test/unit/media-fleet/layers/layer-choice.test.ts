// The choice of a layer by receiver reports, on links that are simulated: what fits stays, what does not is not tried for ever.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BETWEEN_CHANGES,
  CLEAN_BEFORE_CLIMB,
  FIRST_WAIT,
  LayerChoice,
  type LinkReading,
} from '#media-fleet/layers/layer-choice.ts';

const RATES = [150_000, 500_000, 1_500_000];
const clean = (at: number, changes: Partial<LinkReading> = {}): LinkReading => ({
  at,
  loss: 0,
  roundTrip: 40,
  bitrates: RATES,
  ...changes,
});

/** A choice that has had clean readings, one a second, until now. */
function settled(seconds: number): { choice: LayerChoice; now: number } {
  const choice = new LayerChoice();
  for (let second = 0; second <= seconds; second += 1) choice.read(clean(second * 1_000));
  return { choice, now: seconds * 1_000 };
}

interface Change {
  at: number;
  layer: number;
}

interface Link {
  /** Bits per second that it carries; what is more is lost once its buffer is full. */
  capacity: number;
  /** Bits that it holds back before it loses any. */
  buffer: number;
  roundTrip: number;
}

/** A viewer behind the link, with a reading each second. @returns every change of its layer. */
function simulate(link: Link, seconds: number): Change[] {
  const choice = new LayerChoice();
  const changes: Change[] = [];
  let queued = 0;
  for (let second = 0; second < seconds; second += 1) {
    const offered = RATES[choice.layer] ?? 0;
    queued += offered - link.capacity;
    const lost = Math.max(0, queued - link.buffer);
    queued = Math.min(link.buffer, Math.max(0, queued));
    const before = choice.layer;
    const layer = choice.read({
      at: second * 1_000,
      loss: lost / offered,
      roundTrip: link.roundTrip + (queued / link.capacity) * 1_000,
      bitrates: RATES,
    });
    if (layer !== before) changes.push({ at: second * 1_000, layer });
  }
  return changes;
}

/** The highest layer that so many bits per second carry. */
const carried = (capacity: number) =>
  Math.max(
    0,
    RATES.findLastIndex((rate) => rate <= capacity),
  );

const links = fc.record({
  capacity: fc.integer({ min: 50_000, max: 4_000_000 }),
  buffer: fc.integer({ min: 0, max: 1_000_000 }),
  roundTrip: fc.integer({ min: 1, max: 300 }),
});

it('starts at the lowest layer and climbs one at a time while nothing is amiss', () => {
  const choice = new LayerChoice();
  const seen: number[] = [];
  for (let at = 0; at <= 10_000; at += 1_000) seen.push(choice.read(clean(at)));
  expect(seen).toEqual([0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
});

it.each([
  ['loss between 2 and 10%', { loss: 0.05 }],
  ['a queue on the way', { roundTrip: 160 }],
  ['no report at all', { loss: undefined }],
])('%s holds the layer where it is', (_, amiss) => {
  const { choice, now } = settled(4);
  expect(choice.layer).toBe(1);
  for (let second = 1; second <= 60; second += 1) {
    expect(choice.read(clean(now + second * 1_000, amiss))).toBe(1);
  }
});

it('backs off at once when more than 10% are lost, to what fits into the rest', () => {
  const { choice, now } = settled(12);
  expect(choice.layer).toBe(2);
  expect(choice.read(clean(now + 1_000, { loss: 0.11 }))).toBe(1);
  const steep = settled(12);
  expect(steep.choice.read(clean(now + 1_000, { loss: 0.8 }))).toBe(0);
});

it('a queue that stays long is as bad as loss, one late report is not', () => {
  const { choice, now } = settled(12);
  expect(choice.read(clean(now + 1_000, { roundTrip: 400 }))).toBe(2);
  expect(choice.read(clean(now + 2_000))).toBe(2);
  expect(choice.read(clean(now + 3_000, { roundTrip: 400 }))).toBe(2);
  expect(choice.read(clean(now + 4_000, { roundTrip: 400 }))).toBe(1);
});

it('a layer that failed is tried again after 10 s, then after 20', () => {
  const { choice, now } = settled(12);
  const tries: number[] = [];
  let last = choice.layer;
  for (let second = 1; second <= 60; second += 1) {
    const at = now + second * 1_000;
    const layer = choice.read(clean(at, choice.layer === 2 ? { loss: 0.3 } : {}));
    if (layer === 2 && last === 1) tries.push(at);
    last = layer;
  }
  // It fails BETWEEN_CHANGES after it was reached.
  const [first = 0, second = 0] = tries;
  expect(first - (now + 1_000)).toBe(FIRST_WAIT);
  expect(second - first).toBe(BETWEEN_CHANGES + 2 * FIRST_WAIT);
});

it('a layer that is not sent is neither climbed to nor stayed on', () => {
  const choice = new LayerChoice();
  const without = { bitrates: [150_000, 500_000, 0] };
  for (let at = 0; at <= 20_000; at += 1_000) choice.read(clean(at, without));
  expect(choice.layer).toBe(1);
  choice.read(clean(21_000));
  expect(choice.layer).toBe(2);
  for (let at = 22_000; at <= 24_000; at += 1_000) choice.read(clean(at, without));
  expect(choice.layer).toBe(1);
  // Back as soon as it is sent again: the link did not fail.
  for (let at = 25_000; at <= 25_000 + CLEAN_BEFORE_CLIMB; at += 1_000) choice.read(clean(at));
  expect(choice.layer).toBe(2);
});

it('a publisher that falls silent changes nothing', () => {
  const { choice, now } = settled(12);
  for (let second = 1; second <= 10; second += 1) {
    expect(choice.read(clean(now + second * 1_000, { bitrates: [0, 0, 0] }))).toBe(2);
  }
});

it('a way that became longer for good is not taken for a queue for ever', () => {
  const { choice, now } = settled(4);
  for (let second = 1; second <= 180; second += 1)
    choice.read(clean(now + second * 1_000, { roundTrip: 190 }));
  expect(choice.layer).toBe(2);
});

describe('on any link', () => {
  it('no two changes come within 2 s, whatever is reported', () => {
    const readings = fc.array(
      fc.record({
        after: fc.integer({ min: 0, max: 5_000 }),
        loss: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
        roundTrip: fc.option(fc.integer({ min: 0, max: 3_000 }), { nil: undefined }),
        bitrates: fc.array(fc.integer({ min: 0, max: 5_000_000 }), { maxLength: 4 }),
      }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(readings, (all) => {
        const choice = new LayerChoice();
        let at = 0;
        let changedAt = Number.NEGATIVE_INFINITY;
        for (const { after, ...reading } of all) {
          at += after;
          const before = choice.layer;
          const layer = choice.read({ at, ...reading });
          expect(layer).toBe(choice.layer);
          expect(layer).toBeGreaterThanOrEqual(0);
          if (layer === before) continue;
          expect(at - changedAt).toBeGreaterThanOrEqual(BETWEEN_CHANGES);
          if (layer > before) expect(reading.bitrates[layer]).toBeGreaterThan(0);
          changedAt = at;
        }
      }),
    );
  });

  it('it settles at what the link carries with less than 10% loss, and changes at most 30 times in ten minutes', () => {
    fc.assert(
      fc.property(links, (link) => {
        const changes = simulate(link, 600);
        // Up to the top, down, and then the layer that does not fit again after 10, 20, 40, 80, 160 and 300 s; two layers may not fit.
        expect(changes.length).toBeLessThanOrEqual(30);
        // A link that is full to the brim never empties its queue.
        const [fits, tolerated] = [carried(0.95 * link.capacity), carried(link.capacity / 0.9)];
        const layerAt = (at: number) => changes.findLast((change) => change.at <= at)?.layer ?? 0;
        const seconds = Array.from({ length: 540 }, (_, second) => 60 + second);
        const there = seconds.filter((second) => {
          const layer = layerAt(second * 1_000);
          return layer >= fits && layer <= tolerated;
        });
        expect(there.length).toBeGreaterThan(0.9 * seconds.length);
      }),
    );
  });

  it('it follows a link that becomes better after long failure', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 1_200 }), (worseFor) => {
        const choice = new LayerChoice();
        let second = 0;
        for (; second < worseFor; second += 1) {
          choice.read(clean(second * 1_000, choice.layer > 0 ? { loss: 0.5 } : {}));
        }
        for (const until = second + 380; second < until; second += 1) choice.read(clean(second * 1_000));
        expect(choice.layer).toBe(2);
      }),
    );
  });
});
