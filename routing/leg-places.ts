// Who gets a leg of a parent's: one place for each child of the region, one for each other region. Pure.

import type { LegRequest } from './node-messages.ts';

/** A request for a leg, in its turn among all that came to the parent. */
export interface AskedLeg {
  readonly request: Pick<LegRequest, 'region' | 'nodeId' | 'epoch'>;
  readonly order: number;
}

/** The place that a request asks for. @param here the parent's region. */
export const placeOf = ({ region, nodeId }: AskedLeg['request'], here: string): string =>
  region === here ? `node ${nodeId}` : `region ${region}`;

/** Whether the place has gone to another: into a region by a newer epoch, then, as inside one, by a later request. */
export function isOvertaken(
  { request, order }: AskedLeg,
  others: readonly AskedLeg[],
  here: string,
): boolean {
  const place = placeOf(request, here);
  return others.some((other) => {
    if (placeOf(other.request, here) !== place) return false;
    if (request.region !== here && other.request.epoch !== request.epoch) {
      return other.request.epoch > request.epoch;
    }
    return other.order > order;
  });
}
