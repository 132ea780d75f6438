// When a region leaves the global name and when it comes back: by hysteresis, by an operator's word, never as the last.

import { expect, it } from 'vitest';
import { nextStanding, type RegionStanding, type StandingRequest } from '#routing/region-standing.ts';

const EU = 'eu-west-1';
const US = 'us-east-1';
const NOW = 1_000;
const standing = (region: string, changes: Partial<RegionStanding> = {}): RegionStanding => ({
  region,
  out: false,
  streak: 0,
  changedAt: 1,
  checkedAt: NOW,
  ...changes,
});
const check = (changes: Partial<StandingRequest>) =>
  nextStanding({
    region: EU,
    regions: [EU, US],
    standings: [standing(EU), standing(US)],
    evacuated: new Set(),
    canServe: true,
    now: NOW,
    interval: 60_000,
    ...changes,
  });

/** So many checks in a row, of a region beside another that is in. */
function checks(count: number, canServe: boolean, from = standing(EU)): RegionStanding {
  let own = from;
  for (let n = 0; n < count; n += 1) own = check({ standings: [own, standing(US)], canServe });
  return own;
}

it('a region that can serve is in, and stays as it is', () => {
  expect(check({})).toEqual(standing(EU));
  expect(check({ standings: [] })).toEqual(standing(EU, { changedAt: NOW }));
});

it('it goes after three checks in a row without room, not before', () => {
  expect(checks(2, false)).toEqual(standing(EU, { streak: 2 }));
  expect(checks(3, false)).toEqual(standing(EU, { out: true, changedAt: NOW }));
});

it('one good check between bad ones begins the count anew', () => {
  expect(checks(2, false, checks(1, true, checks(2, false)))).toEqual(standing(EU, { streak: 2 }));
});

it('it comes back after five good ones in a row', () => {
  const out = standing(EU, { out: true });
  expect(checks(4, true, out)).toMatchObject({ out: true, streak: 4 });
  expect(checks(5, true, out)).toEqual(standing(EU, { changedAt: NOW }));
  expect(checks(5, true, checks(1, false, checks(4, true, out)))).toMatchObject({ out: false });
  expect(checks(4, true, checks(1, false, checks(4, true, out)))).toMatchObject({ out: true });
});

it('an evacuated region goes at once, and stays out however well it is', () => {
  const evacuated = new Set([EU]);
  const out = check({ evacuated });
  expect(out).toMatchObject({ out: true, changedAt: NOW });
  let later = out;
  for (let n = 0; n < 9; n += 1) later = check({ evacuated, standings: [later, standing(US)] });
  expect(later).toMatchObject({ out: true });
  expect(check({ standings: [later, standing(US)] })).toMatchObject({ out: false });
});

it('the last region that is in stays in: without room, evacuated, or alone', () => {
  const standings = [standing(EU, { streak: 2 }), standing(US, { out: true })];
  expect(check({ standings, canServe: false })).toMatchObject({ out: false });
  expect(check({ standings, evacuated: new Set([EU]) })).toMatchObject({ out: false });
  expect(check({ standings: [standing(EU, { streak: 9 })], canServe: false })).toMatchObject({ out: false });
});

it('of two that went at once, each having seen the other in, one comes back', () => {
  const both = [standing(EU, { out: true }), standing(US, { out: true })];
  expect(check({ standings: both, canServe: false })).toMatchObject({ region: EU, out: false });
  expect(check({ standings: both, canServe: false, region: US })).toMatchObject({ region: US, out: true });
  const evacuated = new Set([EU]);
  expect(check({ standings: both, canServe: false, evacuated })).toMatchObject({ out: true });
  expect(check({ standings: both, canServe: false, evacuated, region: US })).toMatchObject({ out: false });
});

it('a region that has not checked itself for three checks does not let the last one go', () => {
  const seen = (age: number) => [standing(EU, { streak: 2 }), standing(US, { checkedAt: NOW - age })];
  expect(check({ standings: seen(180_000), canServe: false })).toMatchObject({ out: true });
  expect(check({ standings: seen(180_001), canServe: false })).toMatchObject({ out: false });
});

it('nor does one that is not configured any more', () => {
  const standings = [standing(EU, { streak: 2 }), standing(US)];
  expect(check({ standings, regions: [EU], canServe: false })).toMatchObject({ out: false });
});

it.each([
  ['removed', { regions: [EU, US] }, NOW],
  ['dead', { regions: [EU, US, 'ap-southeast-1'] }, NOW - 180_001],
])('a %s region that was out keeps no other one from coming back', (_, changes, checkedAt) => {
  const gone = standing('ap-southeast-1', { out: true, checkedAt });
  const standings = [standing(EU, { out: true }), standing(US, { out: true }), gone];
  expect(check({ standings, canServe: false, ...changes })).toMatchObject({ out: false });
  expect(check({ standings, canServe: false, region: US, ...changes })).toMatchObject({ out: true });
});
