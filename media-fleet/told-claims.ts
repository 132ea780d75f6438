// What this node was told of a stream's origins, for as long as its region's replica of the stream map does not show it.

import { isHeld, type OriginClaim, type StreamClaims } from '#routing/claims.ts';

/** Milliseconds until the map's word counts again, whatever was told: replicas are usually a second behind. */
const GOOD_FOR = 10_000;

export class ToldClaims {
  readonly #told = new Map<string, { claim: OriginClaim; until: number }>();

  learn(claim: OriginClaim): void {
    const key = `${claim.region} ${claim.priority}`;
    const known = this.#told.get(key);
    // Notices overtake each other, too.
    if (known && known.claim.epoch > claim.epoch) return;
    this.#told.set(key, { claim, until: performance.now() + GOOD_FOR });
  }

  /** The claims as read, with what was told in place of what is older. */
  mergedWith(read: StreamClaims): StreamClaims {
    let { origins } = read;
    for (const [key, { claim, until }] of this.#told) {
      const shown = read.origins.find(
        ({ region, priority }) => region === claim.region && priority === claim.priority,
      );
      if (performance.now() > until || shows(shown, claim)) this.#told.delete(key);
      else origins = [...origins.filter((other) => other !== shown), claim];
    }
    return { ...read, origins };
  }
}

/** Whether the map's item is as new as what was told of it. */
function shows(shown: OriginClaim | undefined, told: OriginClaim): boolean {
  if (shown === undefined || shown.epoch < told.epoch) return false;
  if (shown.epoch > told.epoch || !isHeld(shown)) return true;
  return isHeld(told) && (shown.yields === true) === (told.yields === true);
}
