// Where a node gets a stream from: the one decision that keeps a stream to a single crossing per region.

import {
  activeOrigin,
  type OriginClaim,
  type RegionClaim,
  regionClaimOf,
  type StreamClaims,
  sameHolder,
} from './claims.ts';

export interface PlanRequest {
  claims: StreamClaims;
  self: { region: string; nodeId: string; incarnation: string };
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
export function planCascade({ claims, self, alive }: PlanRequest): CascadePlan {
  const origin = activeOrigin(claims);
  if (origin === undefined) return { step: 'none' };
  if (origin.region === self.region) {
    if (sameHolder(origin, self)) return { step: 'self', origin };
    // A claim of this very node from before it was restarted is as void as a dead node's.
    if (!alive(origin)) return { step: 'none' };
    return { step: 'pull', origin, from: origin };
  }
  const secondary = regionClaimOf(claims, self.region);
  if (secondary === undefined || secondary.releasedAt !== undefined)
    return { step: 'claim', origin, seen: secondary };
  if (sameHolder(secondary, self)) return { step: 'cross', origin, epoch: secondary.epoch };
  if (!alive(secondary)) return { step: 'claim', origin, seen: secondary };
  return { step: 'pull', origin, from: secondary };
}
