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
});
export type RegionStanding = z.infer<typeof regionStanding>;

/**
 * Checks in a row until a region goes out, and until it comes back: a minute apart on AWS. Going is quick, for players
 * fail there; coming back is slow, for a region that flaps sends its viewers round in circles.
 */
const CHECKS_OUT = 3;
const CHECKS_IN = 5;

export interface StandingRequest {
  region: string;
  /** All regions, as far as they have ever said. */
  standings: readonly RegionStanding[];
  /** Regions that an operator has evacuated. */
  evacuated: ReadonlySet<string>;
  /** Whether the region's nodes could take sessions at this check. */
  canServe: boolean;
  /** Milliseconds since 1970. */
  now: number;
}

/** Pure: what the region's standing is after a check. The last region that is in stays in, whatever happens. */
export function nextStanding({
  region,
  standings,
  evacuated,
  canServe,
  now,
}: StandingRequest): RegionStanding {
  const before = standings.find((standing) => standing.region === region);
  const out = before?.out ?? false;
  const against = canServe === out;
  const streak = against ? (before?.streak ?? 0) + 1 : 0;
  const due = streak >= (out ? CHECKS_IN : CHECKS_OUT);
  const wanted = evacuated.has(region) || (due ? !out : out);
  const next = wanted && !isLastIn(region, standings, evacuated);
  return {
    region,
    out: next,
    streak: next === out ? streak : 0,
    changedAt: next === out ? (before?.changedAt ?? now) : now,
  };
}

/**
 * Whether nobody else is in. Where two regions went out at once, each having seen the other in, the one that nobody
 * evacuated and whose name comes first is the last, and comes back.
 */
function isLastIn(
  region: string,
  standings: readonly RegionStanding[],
  evacuated: ReadonlySet<string>,
): boolean {
  const others = standings.filter((standing) => standing.region !== region);
  if (others.some(({ out }) => !out)) return false;
  const own = standings.find((standing) => standing.region === region);
  if (own?.out !== true) return true;
  const all = standings.map((standing) => standing.region).sort();
  const first = all.find((name) => !evacuated.has(name)) ?? all[0];
  return first === region;
}
