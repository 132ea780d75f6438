// The rules that the model runs by: routing's own, unless a test breaks one on purpose.

import { type CascadePlan, planCascade } from '#routing/cascade-plan.ts';
import { activeOrigin, type RegionClaim, type StreamClaims } from '#routing/claims.ts';
import { isOvertaken } from '#routing/leg-places.ts';
import { newOriginClaim, originStanding, shouldYield } from '#routing/origin-standing.ts';
import type { Claim } from './replicas.ts';

export const realRules = {
  planCascade,
  activeOrigin,
  originStanding,
  newOriginClaim,
  shouldYield,
  isOvertaken,

  // What follows is media-fleet's, in so many words.

  /** children.ts: a parent does not feed who feeds it. */
  closesLoop: (child: string, parent: string, path: readonly string[]): boolean =>
    child === parent || path.includes(child),

  /** origin-role.ts: whether a publisher with another token has this priority. */
  isTaken: (
    { origins }: StreamClaims,
    mine: { region: string; priority: number; tokenId: string },
    alive: (holder: { nodeId: string; incarnation: string }) => boolean,
  ): boolean => {
    const rival = origins.find(
      (claim) =>
        claim.releasedAt === undefined && claim.priority === mine.priority && claim.tokenId !== mine.tokenId,
    );
    return rival !== undefined && (rival.region !== mine.region || alive(rival));
  },

  /** pull.ts: the epoch of a region's next claim. */
  nextRegionEpoch: (seen: RegionClaim | undefined): number => (seen?.epoch ?? 0) + 1,

  /** sweep.ts: what a region's living nodes release of its dead ones. */
  sweeps: (_claim: Claim): boolean => true,

  /** streams.ts: whether an origin that becomes a standby tells its children to look for the one that goes first. */
  standbyDismisses: true,

  /**
   * streams.ts: whether a node that only has children, and pulls for them no more, tells them. With a standby's publisher
   * here the stream does not close, and nothing else would.
   */
  closedPullDismisses: true,

  /** streams.ts: whether a node that crosses by a role that it has handed over refuses whom its old claim leads to it. */
  handedOverRefuses: true,

  /** drain.ts: whether a role that a draining node had to take goes with the last of its own viewers. */
  drainGivesUpUnneeded: true,

  /** origin-role.ts: whether an origin whose claim is gone forgets that it feeds its node. */
  forgetsThatItFeeds: false,

  /**
   * pull.ts: what a secondary origin looks for now and then, to leave a leg that is not its own any more. Its parent may
   * not know: the leg of the newer claim can be another parent's, or never come. Who has given the role up, to drain, goes
   * on until another has it.
   */
  leavesCrossing: (step: CascadePlan['step'], hasClaim: boolean): boolean =>
    step === 'pull' || (step === 'claim' && hasClaim),

  /** streams.ts: whether a publisher that another of its node replaces is a standby at once, not at its next check. */
  standsOthersDown: true,
};

export type Rules = typeof realRules;
