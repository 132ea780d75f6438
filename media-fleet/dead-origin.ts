// An origin that does not answer, where a standby waits to take its place: its claim goes before its heartbeat is old.

import { isHeld, type OriginClaim, type StreamClaims, sameHolder } from '#routing/claims.ts';
import type { StreamMap } from '#routing/stream-map.ts';
import { type Teller, tellRegions } from './tell-regions.ts';

export interface DeadOriginContext extends Teller {
  streamMap: StreamMap;
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
