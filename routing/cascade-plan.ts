// Where a node gets a stream from: the one decision that keeps a stream to a single crossing per region.

import {
  activeOrigin,
  isHeld,
  type OriginClaim,
  type RegionClaim,
  regionClaimOf,
  type StreamClaims,
  sameHolder,
} from './claims.ts';

export interface PlanRequest {
  claims: StreamClaims;
  self: { region: string; nodeId: string; incarnation: string };
  /**
   * The epoch of the region's claim that this node knows to hold, 0 for none. What the map says of a claim of its own
   * may be what it has given up already, with the release still on its way.
   */
  ownEpoch: number;
  /** Whether a claim's node still lives, as far as this node can know: asked for nodes of its own region only. */
  alive: (holder: { nodeId: string; incarnation: string }) => boolean;
}

export type CascadePlan =
  /** Nobody publishes the stream. */
  | { step: 'none' }
  /** This node is the active origin. */
  | { step: 'self'; origin: OriginClaim }
  /** Pull from a node of this region: the origin or the secondary origin. */
  | { step: 'pull'; origin: OriginClaim; from: { nodeId: string; incarnation: string; epoch: number } }
  /** This node is the region's secondary origin: pull from the origin's region. */
  | { step: 'cross'; origin: OriginClaim; epoch: number }
  /** The region has no living secondary origin: claim the role, replacing `seen`, then cross. */
  | { step: 'claim'; origin: OriginClaim; seen: RegionClaim | undefined };

/** Pure: the same claims give the same plan on every node. */
export function planCascade({ claims, self, ownEpoch, alive }: PlanRequest): CascadePlan {
  const origin = activeOrigin(claims);
  if (origin === undefined) return { step: 'none' };
  if (origin.region === self.region) {
    if (sameHolder(origin, self)) return { step: 'self', origin };
    // A claim of this very node from before it was restarted is as void as a dead node's.
    if (!alive(origin)) return { step: 'none' };
    return { step: 'pull', origin, from: origin };
  }
  const secondary = regionClaimOf(claims, self.region);
  if (secondary === undefined || !isHeld(secondary)) return { step: 'claim', origin, seen: secondary };
  if (sameHolder(secondary, self)) {
    // Claimed anew, the release that is on its way finds another epoch and changes nothing.
    if (ownEpoch !== secondary.epoch) return { step: 'claim', origin, seen: secondary };
    return { step: 'cross', origin, epoch: secondary.epoch };
  }
  if (!alive(secondary)) return { step: 'claim', origin, seen: secondary };
  return { step: 'pull', origin, from: secondary };
}
