// Whether a region is under the global name: out while its fleets cannot take sessions or an operator evacuates it.

import * as z from 'zod';
import { regionId } from './names.ts';

/** What each region writes of itself into the control table. */
export const regionStanding = z.object({
  region: regionId,
  /** Taken out of the global name. */
  out: z.boolean(),
  /** Checks in a row that spoke against the present state. */
  streak: z.number().int().min(0),
  /** Milliseconds since 1970 of the last change. */
  changedAt: z.number().int(),
  /** Milliseconds since 1970 of the check that this comes from. */
  checkedAt: z.number().int(),
});
export type RegionStanding = z.infer<typeof regionStanding>;

/**
 * Checks in a row until a region goes out, and until it comes back: a minute apart on AWS. Going is quick, for players
 * fail there; coming back is slow, for a region that flaps sends its viewers round in circles.
 */
const CHECKS_OUT = 3;
const CHECKS_IN = 5;

/** Checks for which a standing counts: a region that has said nothing for longer is not there to lead anybody to. */
const CHECKS_FRESH = 3;

export interface StandingRequest {
  region: string;
  /** The ids of all regions that are configured: one that was removed has left its standing behind. */
  regions: readonly string[];
  /** All regions, as far as they have ever said. */
  standings: readonly RegionStanding[];
  /** Regions that an operator has evacuated. */
  evacuated: ReadonlySet<string>;
  /** Whether the region's nodes could take sessions at this check. */
  canServe: boolean;
  /** Milliseconds since 1970. */
  now: number;
  /** Milliseconds between checks. */
  interval: number;
}

/** Pure: what the region's standing is after a check. The last region that is in stays in, whatever happens. */
export function nextStanding(request: StandingRequest): RegionStanding {
  const { region, standings, evacuated, canServe, now } = request;
  const before = standings.find((standing) => standing.region === region);
  const out = before?.out ?? false;
  const against = canServe === out;
  const streak = against ? (before?.streak ?? 0) + 1 : 0;
  const due = streak >= (out ? CHECKS_IN : CHECKS_OUT);
  const wanted = evacuated.has(region) || (due ? !out : out);
  const next = wanted && !isLastIn(out, request);
  return {
    region,
    out: next,
    streak: next === out ? streak : 0,
    changedAt: next === out ? (before?.changedAt ?? now) : now,
    checkedAt: now,
  };
}

/**
 * Whether nobody else is in. Where two regions went out at once, each having seen the other in, the one that nobody
 * evacuated and whose name comes first is the last, and comes back.
 */
function isLastIn(
  out: boolean,
  { region, regions, standings, evacuated, now, interval }: StandingRequest,
): boolean {
  const others = standings.filter(
    (other) =>
      other.region !== region &&
      regions.includes(other.region) &&
      now - other.checkedAt <= CHECKS_FRESH * interval,
  );
  if (others.some((other) => !other.out)) return false;
  if (!out) return true;
  const all = [region, ...others.map((other) => other.region)].sort();
  const first = all.find((name) => !evacuated.has(name)) ?? all[0];
  return first === region;
}
