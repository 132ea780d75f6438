// The choice that Route 53 latency records make: which region a client is sent to.

import { roundTripMs } from './inter-region-latency.ts';

/**
 * Orders regions as a latency record would choose them for a client: healthy ones first, and among equals by round
 * trip from the client's region. When no region is healthy all are candidates, as in Route 53: "If no record is
 * healthy, all records are healthy"
 * (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-how-route-53-chooses-records.html).
 * Regions without a known round trip come last, in the order given.
 *
 * @param clientRegion the AWS region that the client is nearest to; it need not be one of `regions`.
 */
export function nearestFirst<Region extends { readonly id: string; readonly healthy: boolean }>(
  regions: readonly Region[],
  clientRegion: string,
): Region[] {
  const distance = ({ id }: Region) => roundTripMs(clientRegion, id) ?? Number.MAX_VALUE;
  return regions.toSorted((a, b) => Number(b.healthy) - Number(a.healthy) || distance(a) - distance(b));
}
