// What an origin is to its stream, what its claim says when it is written, and when it yields to another. Pure.

import {
  activeOrigin,
  isHeld,
  nextOriginEpoch,
  type OriginClaim,
  precedes,
  type StreamClaims,
  sameHolder,
} from './claims.ts';

export type OriginStanding =
  /** The stream comes from here. */
  | 'active'
  /** Another origin goes first; this one is ready to follow. */
  | 'standby'
  /** A newer origin of the same priority is there: this one steps down. */
  | 'superseded'
  /** The claim is not in the map though its holder lives: it takes it again. */
  | 'gone';

/** @param mine as it was written, whatever it says there now. */
export function originStanding(claims: StreamClaims, mine: OriginClaim): OriginStanding {
  const held = claims.origins.filter(isHeld);
  if (held.some((claim) => claim.priority === mine.priority && precedes(claim, mine))) return 'superseded';
  if (!held.some((claim) => isSame(claim, mine))) return 'gone';
  const active = activeOrigin(claims);
  return active && isSame(active, mine) ? 'active' : 'standby';
}

const isSame = (a: OriginClaim, b: OriginClaim): boolean =>
  sameHolder(a, b) && a.priority === b.priority && a.epoch === b.epoch;

/**
 * A claim newer than every one that can be seen. Where viewers watch another origin well, of a lower priority, it
 * yields at first: its media has to show that it is steady.
 */
export function newOriginClaim(
  claims: StreamClaims,
  holder: Omit<OriginClaim, 'epoch' | 'yields' | 'releasedAt'>,
): OriginClaim {
  const active = activeOrigin(claims);
  const disturbs = active !== undefined && active.yields !== true && active.priority < holder.priority;
  return { ...holder, epoch: nextOriginEpoch(claims), ...(disturbs ? { yields: true } : {}) };
}

/** How a publisher's media comes in. All in milliseconds. */
export interface Flow {
  /** Since its last packet. */
  silentFor: number;
  /** For which packets have come without a silence. */
  steadyFor: number;
}

export interface YieldRules {
  /** Silence after which an origin yields, ms. */
  publisherSilence: number;
  /** For how long a returned origin must be steady before it goes first again, ms. */
  failbackAfter: number;
  /** Whether an origin of a higher priority takes the stream back at all while another carries it. */
  failback: boolean;
}

/** Whether an origin should yield now; its claim is written anew only where that differs from what it says. */
export function shouldYield(
  claims: StreamClaims,
  mine: OriginClaim,
  { silentFor, steadyFor }: Flow,
  { publisherSilence, failbackAfter, failback }: YieldRules,
): boolean {
  const others = claims.origins.filter((claim) => isHeld(claim) && !isSame(claim, mine));
  const silent = silentFor >= publisherSilence;
  if (mine.yields !== true) {
    // A publisher alone may pause as it likes. One beside others that yield may not: the first that sends again goes.
    return silent && others.length > 0;
  }
  if (silent) return true;
  const first = activeOrigin({ ...claims, origins: others });
  // Nobody who does not yield: whoever sends, goes.
  if (first === undefined || first.yields === true) return false;
  if (steadyFor < failbackAfter) return true;
  return !failback && mine.priority > first.priority;
}
