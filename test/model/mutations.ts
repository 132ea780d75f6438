// The rules broken on purpose, one at a time: each is a mistake that somebody could make, or that was made.

import type { PlanRequest } from '#routing/cascade-plan.ts';
import { type OriginClaim, regionClaimOf } from '#routing/claims.ts';
import { type Rules, realRules } from './rules.ts';

const planning =
  (change: (request: PlanRequest) => PlanRequest): Rules['planCascade'] =>
  (request) =>
    realRules.planCascade(change(request));

/** As if the node held whatever the map says. */
const believing = (request: PlanRequest): PlanRequest => ({
  ...request,
  ownEpoch: regionClaimOf(request.claims, request.self.region)?.epoch ?? 0,
});

/** Each with a scenario whose every order of events has one that shows the mistake. */
export const mutations: Record<string, { rules: Partial<Rules>; shownBy: string }> = {
  'a place at a parent goes to the later request, whatever its epoch': {
    rules: {
      isOvertaken: (asked, others, here) => {
        const sameEpoch = (one: typeof asked) => ({ ...one, request: { ...one.request, epoch: 1 } });
        return realRules.isOvertaken(sameEpoch(asked), others.map(sameEpoch), here);
      },
    },
    shownBy: 'a claim of an old epoch is late',
  },
  'a place at a parent is never another’s': {
    rules: { isOvertaken: () => false },
    shownBy: 'a claim of an old epoch is late',
  },
  'no origin is ever superseded': {
    rules: {
      originStanding: (claims, mine) => {
        const standing = realRules.originStanding(claims, mine);
        return standing === 'superseded' ? 'standby' : standing;
      },
    },
    shownBy: 'two regions publish at once',
  },
  'an origin steps down only for a newer epoch, not for an equal one': {
    rules: {
      originStanding: (claims, mine) => {
        const newer = claims.origins.filter(
          (claim) => claim.epoch !== mine.epoch || claim.region === mine.region,
        );
        return realRules.originStanding({ ...claims, origins: newer }, mine);
      },
    },
    shownBy: 'two regions publish at once',
  },
  'origins are told apart by their clocks, not their epochs': {
    rules: {
      originStanding: (claims, mine) => {
        const level = (claim: OriginClaim) => ({ ...claim, epoch: 1 });
        return realRules.originStanding({ ...claims, origins: claims.origins.map(level) }, level(mine));
      },
    },
    shownBy: 'a publisher moves to another region',
  },
  'an origin whose claim is gone does not mind': {
    rules: {
      originStanding: (claims, mine) => {
        const standing = realRules.originStanding(claims, mine);
        return standing === 'gone' ? 'standby' : standing;
      },
    },
    shownBy: 'a living origin is taken for dead',
  },
  'a new origin claim is not newer than those it saw': {
    rules: {
      newOriginClaim: (claims, holder) => ({ ...realRules.newOriginClaim(claims, holder), epoch: 1 }),
    },
    shownBy: 'a publisher moves to another region',
  },
  'a new origin claim is newer than those of its own region only': {
    rules: {
      newOriginClaim: (claims, holder) => {
        const own = claims.origins.filter(({ region }) => region === holder.region);
        return realRules.newOriginClaim({ ...claims, origins: own }, holder);
      },
    },
    shownBy: 'a publisher moves to another region',
  },
  'a silent publisher does not yield': {
    rules: { shouldYield: (_claims, mine) => mine.yields === true },
    shownBy: 'a silent publisher with a redundant one',
  },
  'a publisher that yields never stops to': {
    rules: { shouldYield: (...known) => known[1].yields === true || realRules.shouldYield(...known) },
    shownBy: 'a silent publisher with a redundant one',
  },
  'the plan takes everyone for alive': {
    rules: { planCascade: planning((request) => ({ ...request, alive: () => true })) },
    shownBy: 'the secondary origin crashes while two edges want its role',
  },
  'the plan takes an earlier start of this node for this node': {
    rules: {
      planCascade: (request) => {
        const { claims, self } = request;
        const regions = claims.regions.map((claim) =>
          claim.nodeId === self.nodeId ? { ...claim, incarnation: self.incarnation } : claim,
        );
        return realRules.planCascade(believing({ ...request, claims: { ...claims, regions } }));
      },
    },
    shownBy: 'a secondary origin restarts',
  },
  'the plan believes what the map says of this node’s own claim': {
    rules: { planCascade: planning(believing) },
    shownBy: 'viewers leave and come back',
  },
  'a region is claimed with the epoch that was seen': {
    rules: { nextRegionEpoch: (seen) => seen?.epoch ?? 1 },
    shownBy: 'a claim of an old epoch is late',
  },
  'a parent feeds who feeds it': {
    rules: { closesLoop: (child, parent) => child === parent },
    shownBy: 'a silent publisher with a redundant one',
  },
  'dead origins are not swept': {
    rules: { sweeps: (claim) => !('priority' in claim) },
    shownBy: 'an origin crashes, with a standby',
  },
  'dead secondary origins are not swept': {
    rules: { sweeps: (claim) => 'priority' in claim },
    shownBy: 'a secondary origin restarts',
  },
  'a standby keeps its children': {
    rules: { standbyDismisses: false, closedPullDismisses: false },
    shownBy: 'an origin with an edge becomes a standby',
  },
  'a node that pulls for its children no more does not tell them': {
    rules: { closedPullDismisses: false },
    shownBy: 'the active one of a node’s two publishers leaves, and the next is elsewhere',
  },
  'a node that has handed its role over feeds whom the old claim led to it': {
    rules: { handedOverRefuses: false },
    shownBy: 'a secondary origin drains while another edge comes',
  },
  'a draining node keeps a role that it had to take': {
    rules: { drainGivesUpUnneeded: false },
    shownBy: 'two edges drain, and the second has an edge below it',
  },
  'an origin that takes its claim back forgets that it feeds its node': {
    rules: { forgetsThatItFeeds: true },
    shownBy: 'a living origin is taken for dead, with another at hand',
  },
  'a publisher that another of its node replaces goes on as the active one': {
    rules: { standsOthersDown: false },
    shownBy: 'two publishers of one node',
  },
  'a secondary origin never looks whether it still is one': {
    rules: { leavesCrossing: () => false },
    shownBy: 'a full origin sends two secondary origins to different children',
  },
  'a secondary origin looks for another only, not for its own claim': {
    rules: { leavesCrossing: (step) => step === 'pull' },
    shownBy: 'who took the secondary origin for dead dies',
  },
};
