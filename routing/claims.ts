// The claims of the stream map: which node holds which role for a stream, and which origin is the active one.

import * as z from 'zod';
import { incarnation, nodeId, regionId, streamName } from './names.ts';

/** Who may watch: anyone, or only a holder of a subscribe token. */
export const viewing = z.enum(['open', 'token']);
export type Viewing = z.infer<typeof viewing>;

/**
 * What a publisher's token does to a publisher that is live at its priority: takes the stream over whoever that is, only
 * where that has the same token, or never.
 */
export const takeover = z.enum(['always', 'same-token', 'never']);
export type Takeover = z.infer<typeof takeover>;

/** Whether a publisher with this token must leave the stream to the one that holds the claim. Who holds no claim is in nobody's way. */
export const givesWayTo = (
  claim: OriginClaim,
  token: { id: string; takeover: Takeover; priority: number },
): boolean =>
  isHeld(claim) &&
  claim.priority === token.priority &&
  token.takeover !== 'always' &&
  (token.takeover === 'never' || claim.tokenId !== token.id);

/** Among a stream's redundant publishers the highest goes first. */
export const originPriority = z.number().int().min(0).max(9);

const holder = {
  stream: streamName,
  region: regionId,
  nodeId,
  incarnation,
  /** The fencing number: a claim is only ever replaced by one of a higher epoch. */
  epoch: z.number().int().min(1),
  /** Set when the holder gave the role up; the item stays for its epoch until DynamoDB's TTL sweeps it. */
  releasedAt: z.number().int().optional(),
};

/** `sk = ORIGIN#<region>#<priority>`: the node that a publisher of the stream is connected to. */
export const originClaim = z.object({
  ...holder,
  priority: originPriority,
  /** The publish token's id: the same token may take its own stream over. */
  tokenId: z.string(),
  /** Milliseconds since 1970, by the origin's clock. */
  startedAt: z.number().int(),
  viewing,
  /** True while its media is silent, or has not been steady for long enough since: any origin that does not yield goes first. */
  yields: z.boolean().optional(),
  /** Rises with every change that the holder makes within an epoch; none yet: 0. */
  revision: z.number().int().min(0).optional(),
});
export type OriginClaim = z.infer<typeof originClaim>;

/** `sk = REGION#<region>`: the region's secondary origin. */
export const regionClaim = z.object({
  ...holder,
  /** The origin that it pulls from. */
  parent: z.object({ region: regionId, nodeId, epoch: z.number().int() }),
});
export type RegionClaim = z.infer<typeof regionClaim>;

export type Claim = OriginClaim | RegionClaim;

/** All that the stream map says of one stream, released claims included. */
export const streamClaims = z.object({
  stream: streamName,
  origins: z.array(originClaim),
  regions: z.array(regionClaim),
});
export type StreamClaims = z.infer<typeof streamClaims>;

/** Whether the holder has not given the role up. */
export const isHeld = ({ releasedAt }: Claim): boolean => releasedAt === undefined;

/**
 * The active origin: of the claims that are held, one that does not yield before those that do, then the highest
 * priority, then the newest epoch. Two regions can write the same epoch before they see each other's claim; then the
 * later start wins, then the region's name, so that every reader everywhere computes the same one.
 */
export function activeOrigin(claims: StreamClaims): OriginClaim | undefined {
  return claims.origins
    .filter(isHeld)
    .reduce<OriginClaim | undefined>(
      (best, claim) => (best === undefined || goesBefore(claim, best) ? claim : best),
      undefined,
    );
}

const goesBefore = (a: OriginClaim, b: OriginClaim): boolean =>
  (a.yields === true) === (b.yields === true) ? precedes(a, b) : b.yields === true;

/** True when `a` is the active origin rather than `b`, as long as neither yields. */
export function precedes(a: OriginClaim, b: OriginClaim): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (a.epoch !== b.epoch) return a.epoch > b.epoch;
  if (a.startedAt !== b.startedAt) return a.startedAt > b.startedAt;
  return a.region > b.region;
}

/** Whether two claims are of one item of the map: a region has one for each priority. */
export const isSameItem = (a: OriginClaim, b: OriginClaim): boolean =>
  a.region === b.region && a.priority === b.priority;

/** The epoch that a new origin claim must carry to be newer than every one that can be seen. */
export const nextOriginEpoch = (claims: StreamClaims): number =>
  1 + Math.max(0, ...claims.origins.map((claim) => claim.epoch));

/** The region's claim, released or not. */
export const regionClaimOf = (claims: StreamClaims, region: string): RegionClaim | undefined =>
  claims.regions.find((claim) => claim.region === region);

/** True when both name the same start of the same node. */
export const sameHolder = (
  a: { nodeId: string; incarnation: string },
  b: { nodeId: string; incarnation: string },
): boolean => a.nodeId === b.nodeId && a.incarnation === b.incarnation;
