// Who gets a parent's leg: a place for each child of the region, and one for each other region.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type AskedLeg, isOvertaken, placeOf } from '#routing/leg-places.ts';

const HERE = 'eu-west-1';
const asked = (order: number, changes: Partial<AskedLeg['request']> = {}): AskedLeg => ({
  request: { region: 'us-east-1', nodeId: 'i-1', epoch: 1, ...changes },
  order,
});
const near = (order: number, changes: Partial<AskedLeg['request']> = {}) =>
  asked(order, { region: HERE, ...changes });

it('in its region every child has a place, in another all share one', () => {
  const places = [near(1), near(2, { nodeId: 'i-2' }), asked(3), asked(4, { nodeId: 'i-2' })];
  expect(places.map(({ request }) => placeOf(request, HERE))).toEqual([
    'node i-1',
    'node i-2',
    'region us-east-1',
    'region us-east-1',
  ]);
});

it('a node that is named as a region is does not get that region’s place', () => {
  expect(placeOf(near(1, { nodeId: 'us-east-1' }).request, HERE)).not.toBe(placeOf(asked(1).request, HERE));
});

it.each<[string, AskedLeg, AskedLeg, boolean]>([
  ['nobody else’s', near(1), near(2, { nodeId: 'i-2' }), false],
  ['a later request of its node', near(1), near(2), true],
  ['an earlier request of its node', near(2), near(1), false],
  ['a later request of its node that acts on an older epoch', near(1, { epoch: 2 }), near(2), true],
  ['a newer epoch of its region', asked(2), asked(1, { nodeId: 'i-2', epoch: 2 }), true],
  [
    'an older epoch of its region that asks later',
    asked(1, { epoch: 2 }),
    asked(2, { nodeId: 'i-2' }),
    false,
  ],
  ['a later request of the same epoch', asked(1), asked(2, { nodeId: 'i-2' }), true],
  ['a newer epoch of a third region', asked(1), asked(2, { region: 'ap-southeast-1', epoch: 9 }), false],
])('whether a place goes to %s', (_, mine, other, overtaken) => {
  expect(isOvertaken(mine, [other], HERE)).toBe(overtaken);
});

it('a request does not overtake itself', () => {
  const [one, other] = [near(1), asked(2)];
  expect([one, other].map((mine) => isOvertaken(mine, [one, other], HERE))).toEqual([false, false]);
});

it('of all that ask exactly one keeps each place', () => {
  const requests = fc.array(
    fc.record({
      region: fc.constantFrom(HERE, 'us-east-1', 'ap-southeast-1'),
      nodeId: fc.constantFrom('i-1', 'i-2', 'i-3'),
      epoch: fc.integer({ min: 1, max: 3 }),
    }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(requests, (all) => {
      const legs = all.map((request, order): AskedLeg => ({ request, order }));
      const kept = legs
        .filter((leg) => !isOvertaken(leg, legs, HERE))
        .map(({ request }) => placeOf(request, HERE));
      expect(kept.toSorted()).toEqual([...new Set(all.map((request) => placeOf(request, HERE)))].toSorted());
    }),
  );
});
