// Where a node gets a stream from, and that a stream crosses into a region at most once.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import * as cascadePlan from '#routing/cascade-plan.ts';
import { activeOrigin, type RegionClaim, regionClaimOf, sameHolder } from '#routing/claims.ts';
import { claimsOf, originClaim, originClaims, REGIONS, regionClaim, regionClaims } from './samples.ts';

type PlanRequest = Omit<cascadePlan.PlanRequest, 'ownEpoch'> & { ownEpoch?: number };

/** A node that holds what the map says it holds, unless told otherwise. */
const planCascade = (request: PlanRequest) =>
  cascadePlan.planCascade({
    ownEpoch: regionClaimOf(request.claims, request.self.region)?.epoch ?? 0,
    ...request,
  });

const everyone = () => true;
const nobody = () => false;
const edge = { region: 'eu-west-1', nodeId: 'i-edge', incarnation: 'edge-start-1' };

it('is none where nobody publishes', () => {
  expect(planCascade({ claims: claimsOf([]), self: edge, alive: everyone })).toEqual({ step: 'none' });
  const released = claimsOf([originClaim({ releasedAt: 1 })], [regionClaim()]);
  expect(planCascade({ claims: released, self: edge, alive: everyone })).toEqual({ step: 'none' });
});

it('is self on the active origin', () => {
  const origin = originClaim();
  expect(planCascade({ claims: claimsOf([origin]), self: origin, alive: nobody })).toEqual({
    step: 'self',
    origin,
  });
});

it('an edge of the origin’s region pulls from the origin', () => {
  const origin = originClaim({ region: 'eu-west-1', epoch: 3 });
  const plan = planCascade({ claims: claimsOf([origin], [regionClaim()]), self: edge, alive: everyone });
  expect(plan).toMatchObject({ step: 'pull', origin, from: { nodeId: origin.nodeId, epoch: 3 } });
});

it('is none where the region’s own origin is dead', () => {
  const claims = claimsOf([originClaim({ region: 'eu-west-1' })]);
  expect(planCascade({ claims, self: edge, alive: nobody })).toEqual({ step: 'none' });
});

it('a claim of this node’s earlier start does not make it the origin', () => {
  const claims = claimsOf([originClaim({ ...edge, incarnation: 'edge-start-0' })]);
  const alive: PlanRequest['alive'] = (holder) => sameHolder(holder, edge);
  expect(planCascade({ claims, self: edge, alive })).toEqual({ step: 'none' });
});

it('claims the region where it has no secondary origin', () => {
  const origin = originClaim();
  const plan = planCascade({ claims: claimsOf([origin]), self: edge, alive: everyone });
  expect(plan).toEqual({ step: 'claim', origin, seen: undefined });
});

it('claims over a released claim, whose epoch it has seen', () => {
  const seen = regionClaim({ epoch: 5, releasedAt: 1 });
  const plan = planCascade({ claims: claimsOf([originClaim()], [seen]), self: edge, alive: everyone });
  expect(plan).toMatchObject({ step: 'claim', seen });
});

it('claims anew what it has given up, for the release may still be on its way', () => {
  const seen = regionClaim({ ...edge, epoch: 5 });
  const claims = claimsOf([originClaim()], [seen]);
  const plan = (ownEpoch: number) => planCascade({ claims, self: edge, ownEpoch, alive: everyone });
  expect(plan(0), 'by its last pull').toMatchObject({ step: 'claim', seen });
  expect(plan(4), 'before it claimed again, as an old read has it').toMatchObject({ step: 'claim', seen });
  expect(plan(5)).toMatchObject({ step: 'cross', epoch: 5 });
});

it('claims over a dead secondary origin', () => {
  const seen = regionClaim({ epoch: 5 });
  const alive: PlanRequest['alive'] = (holder) => !sameHolder(holder, seen);
  const plan = planCascade({ claims: claimsOf([originClaim()], [seen]), self: edge, alive });
  expect(plan).toMatchObject({ step: 'claim', seen });
});

it('pulls from a living secondary origin, at its claim’s epoch', () => {
  const secondary = regionClaim({ epoch: 5 });
  const plan = planCascade({ claims: claimsOf([originClaim()], [secondary]), self: edge, alive: everyone });
  expect(plan).toMatchObject({ step: 'pull', from: { nodeId: 'i-secondary', epoch: 5 } });
});

it('crosses as the secondary origin, without asking whether it lives itself', () => {
  const secondary = regionClaim({ epoch: 5 });
  const origin = originClaim();
  const plan = planCascade({ claims: claimsOf([origin], [secondary]), self: secondary, alive: nobody });
  expect(plan).toEqual({ step: 'cross', origin, epoch: 5 });
});

it('does not ask whether a node of another region lives', () => {
  const asked: string[] = [];
  const alive: PlanRequest['alive'] = ({ nodeId }) => asked.push(nodeId) > 0;
  planCascade({ claims: claimsOf([originClaim()], [regionClaim()]), self: edge, alive });
  expect(asked).toEqual(['i-secondary']);
});

const holder = fc.record({
  region: fc.constantFrom(...REGIONS),
  nodeId: fc.constantFrom('i-1', 'i-2', 'i-3'),
  incarnation: fc.constantFrom('start-1', 'start-2'),
});
const request: fc.Arbitrary<PlanRequest> = fc
  .record({ origins: originClaims, regions: regionClaims, self: holder, living: fc.array(holder) })
  .map(({ origins, regions, self, living }) => ({
    claims: claimsOf(origins, regions),
    self,
    alive: (other) => living.some((node) => sameHolder(node, other)),
  }));

it('never pulls from itself', () => {
  fc.assert(
    fc.property(request, (given) => {
      const plan = planCascade(given);
      if (plan.step === 'pull') expect(sameHolder(plan.from, given.self)).toBe(false);
    }),
  );
});

it('pulls from a living node only', () => {
  fc.assert(
    fc.property(request, (given) => {
      const plan = planCascade(given);
      if (plan.step === 'pull') expect(given.alive(plan.from)).toBe(true);
    }),
  );
});

it('never crosses, nor claims to, where the active origin is in its own region', () => {
  fc.assert(
    fc.property(request, (given) => {
      const { step } = planCascade(given);
      if (activeOrigin(given.claims)?.region === given.self.region) {
        expect(['none', 'self', 'pull']).toContain(step);
      }
    }),
  );
});

it('every plan is about the active origin', () => {
  fc.assert(
    fc.property(request, (given) => {
      const plan = planCascade(given);
      if (plan.step !== 'none') expect(plan.origin).toBe(activeOrigin(given.claims));
    }),
  );
});

it('at most one start of one node of a region crosses for one claim', () => {
  const nodes = ['i-1', 'i-2', 'i-3'].flatMap((nodeId) =>
    ['start-1', 'start-2'].map((incarnation) => ({ nodeId, incarnation })),
  );
  fc.assert(
    fc.property(request, fc.constantFrom(...REGIONS), ({ claims, alive }, region) => {
      const crossing = nodes.filter(
        (node) => planCascade({ claims, self: { region, ...node }, alive }).step === 'cross',
      );
      expect(crossing.length).toBeLessThanOrEqual(1);
    }),
  );
});

it('nobody claims a region that a living node holds', () => {
  fc.assert(
    fc.property(request, (given) => {
      const plan = planCascade(given);
      const held = (claim: RegionClaim) => claim.releasedAt === undefined && given.alive(claim);
      if (plan.step === 'claim') expect(plan.seen && held(plan.seen)).toBeFalsy();
    }),
  );
});
