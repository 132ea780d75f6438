// An origin that does not answer, where a standby waits to take its place: its claim goes before its heartbeat is old.

import type { Logger } from 'pino';
import { type Claim, isHeld, type OriginClaim, type StreamClaims, sameHolder } from '#routing/claims.ts';
import type { RegionClient } from '#routing/region-client.ts';
import type { StreamMap } from '#routing/stream-map.ts';

export interface DeadOriginContext {
  streamMap: StreamMap;
  regions: RegionClient;
  log: Logger;
}

/**
 * Releases the claim of an origin that failed a probe, and tells those whom it concerns. Where nobody waits for its
 * place there is nothing to hurry for: one lost probe is no death, and the region's sweep looks at the heartbeat, too.
 * @returns whether it was released.
 */
export async function replaceDeadOrigin(
  { streamMap, regions, log }: DeadOriginContext,
  claims: StreamClaims,
  dead: OriginClaim,
): Promise<boolean> {
  const { stream, nodeId } = dead;
  if (!claims.origins.some((claim) => isHeld(claim) && !sameHolder(claim, dead))) return false;
  log.warn({ stream, nodeId }, 'the origin does not answer, and another waits: releasing its claim');
  try {
    await streamMap.release(dead);
  } catch (error) {
    // Whoever comes next finds it as we did, and the region's sweep does.
    log.info({ err: error, stream }, 'the claim of a dead origin could not be released');
    return false;
  }
  tellRegions({ regions, log }, claims, { ...dead, releasedAt: Date.now() });
  return true;
}

/** Tells every region with another claim of the stream what this one says now, rather than let it find out by its own checks. */
export function tellRegions(
  { regions, log }: Pick<DeadOriginContext, 'regions' | 'log'>,
  { origins, regions: secondaries }: StreamClaims,
  claim: OriginClaim,
): void {
  const others: Claim[] = [...origins, ...secondaries].filter(
    (other) => isHeld(other) && !('priority' in other && isSamePlace(other, claim)),
  );
  for (const region of new Set(others.map((other) => other.region))) {
    regions
      .tell(region, { v: 1, stream: claim.stream, claim })
      .catch((error: unknown) => log.info({ err: error, region }, 'a region was not told of an origin'));
  }
}

const isSamePlace = (a: OriginClaim, b: OriginClaim): boolean =>
  a.region === b.region && a.priority === b.priority;
