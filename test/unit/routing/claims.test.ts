// Which claim is the active origin: one order that every reader everywhere computes alike.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { activeOrigin, nextOriginEpoch, precedes, regionClaimOf, sameHolder } from '#routing/claims.ts';
import { claimsOf, originClaim, originClaims, regionClaim, regionClaims } from './samples.ts';

it('has no active origin where nobody publishes', () => {
  expect(activeOrigin(claimsOf([]))).toBeUndefined();
});

it('a released claim is no origin', () => {
  expect(activeOrigin(claimsOf([originClaim({ releasedAt: 1 })]))).toBeUndefined();
  const standby = originClaim({ region: 'eu-west-1', priority: 0 });
  expect(activeOrigin(claimsOf([originClaim({ priority: 9, releasedAt: 0 }), standby]))).toBe(standby);
});

it('takes the higher priority, whatever its epoch', () => {
  const main = originClaim({ priority: 2, epoch: 1 });
  const backup = originClaim({ region: 'eu-west-1', priority: 1, epoch: 9, startedAt: Date.now() });
  expect(activeOrigin(claimsOf([backup, main]))).toBe(main);
});

it('takes the newer epoch of one priority, whatever its start', () => {
  const older = originClaim({ epoch: 3, startedAt: 2_000 });
  const newer = originClaim({ region: 'ap-southeast-1', epoch: 4, startedAt: 1_000 });
  expect(activeOrigin(claimsOf([older, newer]))).toBe(newer);
});

it('takes the later start of one epoch, whatever its region', () => {
  const first = originClaim({ region: 'us-east-1', startedAt: 1_000 });
  const second = originClaim({ region: 'ap-southeast-1', startedAt: 1_001 });
  expect(activeOrigin(claimsOf([first, second]))).toBe(second);
});

it('takes the last region by name where two started in the same millisecond', () => {
  const regions = ['ap-southeast-1', 'us-east-1', 'eu-west-1'];
  const claims = regions.map((region) => originClaim({ region }));
  expect(activeOrigin(claimsOf(claims))?.region).toBe('us-east-1');
});

it('is the same origin in whatever order the claims are read', () => {
  const shuffled = originClaims.chain((claims) =>
    fc.tuple(fc.constant(claims), fc.shuffledSubarray(claims, { minLength: claims.length })),
  );
  fc.assert(
    fc.property(shuffled, ([claims, others]) => {
      expect(activeOrigin(claimsOf(others))).toBe(activeOrigin(claimsOf(claims)));
    }),
  );
});

it('precedes every other claim that is not released', () => {
  fc.assert(
    fc.property(originClaims, (claims) => {
      const live = claims.filter(({ releasedAt }) => releasedAt === undefined);
      const active = activeOrigin(claimsOf(claims));
      expect(active === undefined).toBe(live.length === 0);
      for (const other of live) {
        if (active && other !== active)
          expect([precedes(active, other), precedes(other, active)]).toEqual([true, false]);
      }
    }),
  );
});

it('gives a new claim an epoch above every one that can be seen, released ones included', () => {
  expect(nextOriginEpoch(claimsOf([]))).toBe(1);
  fc.assert(
    fc.property(originClaims, (claims) => {
      const next = nextOriginEpoch(claimsOf(claims));
      expect(claims.every(({ epoch }) => epoch < next)).toBe(true);
    }),
  );
});

it('a claim of the next epoch is the active origin of its priority at once', () => {
  fc.assert(
    fc.property(originClaims, (claims) => {
      const newest = originClaim({
        region: 'eu-west-1',
        priority: 2,
        startedAt: 0,
        epoch: nextOriginEpoch(claimsOf(claims)),
      });
      const others = claims.filter(
        ({ region, priority }) => region !== newest.region || priority !== newest.priority,
      );
      expect(activeOrigin(claimsOf([...others, newest]))).toBe(newest);
    }),
  );
});

it('finds a region’s claim, released or not, and only its own', () => {
  fc.assert(
    fc.property(regionClaims, (claims) => {
      const found = regionClaimOf(claimsOf([], claims), 'eu-west-1');
      expect(found).toBe(claims.find(({ region }) => region === 'eu-west-1'));
    }),
  );
});

it('tells two starts of one node apart', () => {
  const claim = regionClaim();
  expect(sameHolder(claim, regionClaim({ epoch: 7 }))).toBe(true);
  expect(sameHolder(claim, { ...claim, incarnation: 'secondary-start-2' })).toBe(false);
  expect(sameHolder(claim, { ...claim, nodeId: 'i-other' })).toBe(false);
});

it('one that does not yield goes before any that does, whatever their priorities and epochs', () => {
  const away = originClaim({ priority: 9, epoch: 9, yields: true });
  const steady = originClaim({ region: 'eu-west-1', priority: 0, yields: false });
  const none = originClaim({ region: 'ap-southeast-1', priority: 1, yields: false, releasedAt: 1 });
  expect(activeOrigin(claimsOf([away, steady, none]))).toBe(steady);
  expect(activeOrigin(claimsOf([none, steady, away]))).toBe(steady);
});

it('where all yield they go in their usual order, and one that never yielded is as one that does not', () => {
  const [main, backup] = [originClaim({ priority: 2 }), originClaim({ region: 'eu-west-1', priority: 1 })];
  expect(activeOrigin(claimsOf([backup, main].map((claim) => ({ ...claim, yields: true }))))).toMatchObject(
    main,
  );
  expect(activeOrigin(claimsOf([{ ...backup, yields: false }, main]))).toBe(main);
});

it('yields or not, every reader finds the same origin in whatever order', () => {
  const mixed = originClaims
    .chain((claims) =>
      fc.tuple(...claims.map((claim) => fc.boolean().map((yields) => ({ ...claim, yields })))),
    )
    .chain((claims) =>
      fc.tuple(fc.constant(claims), fc.shuffledSubarray(claims, { minLength: claims.length })),
    );
  fc.assert(
    fc.property(mixed, ([claims, others]) => {
      const active = activeOrigin(claimsOf(claims));
      expect(activeOrigin(claimsOf(others))).toBe(active);
      const held = claims.filter(({ releasedAt }) => releasedAt === undefined);
      expect(active?.yields ?? true).toBe(held.every(({ yields }) => yields));
    }),
  );
});
