// What was told of a stream's origins counts until the map shows it, and no longer than it should.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ToldClaims } from '#media-fleet/told-claims.ts';
import { startClocks, stopClocks } from '#test/unit/routing/clock.ts';
import { claimsOf, originClaim } from '#test/unit/routing/samples.ts';

let told: ToldClaims;
beforeEach(() => {
  stopClocks(1_790_000_000_000);
  told = new ToldClaims('ap-southeast-1');
});
afterEach(startClocks);

const old = originClaim({ epoch: 1 });
const moved = originClaim({ region: 'eu-west-1', epoch: 2 });
const origins = (...read: (typeof old)[]) => told.mergedWith(claimsOf(read)).origins;

it('a claim that the map does not have yet is there', () => {
  told.learn(moved);
  expect(origins(old)).toEqual([old, moved]);
});

it('a newer claim, a release and a yield stand in place of what the map has of them', () => {
  for (const news of [{ epoch: 2 }, { releasedAt: 5 }, { yields: true, revision: 1 }]) {
    told = new ToldClaims('ap-southeast-1');
    told.learn({ ...old, ...news });
    expect(origins(moved, old)).toEqual([moved, { ...old, ...news }]);
  }
});

it('what the map has as new or newer is the map’s', () => {
  for (const shown of [{ epoch: 3 }, { epoch: 2, releasedAt: 5 }, { epoch: 2 }]) {
    told = new ToldClaims('ap-southeast-1');
    told.learn(moved);
    expect(origins({ ...moved, ...shown })).toEqual([{ ...moved, ...shown }]);
    // And from then on: a map never goes back, but the same item may be written again.
    expect(origins(old)).toEqual([old]);
  }
});

it('older news does not replace newer', () => {
  told.learn(moved);
  told.learn({ ...moved, epoch: 1, releasedAt: 3 });
  expect(origins()).toEqual([moved]);
});

it('after ten seconds the map’s word counts again', async () => {
  told.learn(moved);
  await vi.advanceTimersByTimeAsync(9_999);
  expect(origins(old)).toEqual([old, moved]);
  await vi.advanceTimersByTimeAsync(2);
  expect(origins(old)).toEqual([old]);
});

it('of two words about one epoch the later revision counts, in whatever order they come', () => {
  const yielding = { ...moved, yields: true, revision: 1 };
  const again = { ...moved, yields: false, revision: 2 };
  for (const order of [
    [yielding, again],
    [again, yielding],
  ]) {
    told = new ToldClaims('ap-southeast-1');
    for (const claim of order) told.learn(claim);
    expect(origins()).toEqual([again]);
  }
});

it('a region that has not heard the last of it does not undo what is known', () => {
  const yielding = { ...old, yields: true, revision: 1 };
  told.learn(yielding);
  told.learn(old);
  expect(origins(moved, old)).toEqual([moved, yielding]);
  expect(origins(moved, yielding)).toEqual([moved, yielding]);
});

it('what is told of this region’s own claims is no news: the map shows them at once', () => {
  told.learn(originClaim({ region: 'ap-southeast-1', epoch: 9 }));
  expect(origins(old)).toEqual([old]);
});
