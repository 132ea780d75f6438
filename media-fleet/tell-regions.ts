// Telling the regions that an origin's claim concerns what it says now.

import type { Logger } from 'pino';
import { type Claim, isHeld, isSameItem, type OriginClaim, type StreamClaims } from '#routing/claims.ts';
import type { RegionClient } from '#routing/region-client.ts';

export interface Teller {
  regions: RegionClient;
  log: Logger;
}

/** Tells every region with another claim of the stream, rather than let it find out by its own checks. */
export function tellRegions(
  { regions, log }: Teller,
  { origins, regions: secondaries }: StreamClaims,
  claim: OriginClaim,
): void {
  const others: Claim[] = [...origins.filter((other) => !isSameItem(other, claim)), ...secondaries];
  for (const region of new Set(others.filter(isHeld).map((other) => other.region))) {
    regions
      .tell(region, { v: 1, stream: claim.stream, claim })
      .catch((error: unknown) => log.info({ err: error, region }, 'a region was not told of an origin'));
  }
}
