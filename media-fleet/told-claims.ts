// What this node was told of a stream's origins, for as long as its region's replica of the stream map does not show it.

import { isHeld, isSameItem, type OriginClaim, type StreamClaims } from '#routing/claims.ts';

/** Milliseconds until the map's word counts again, whatever was told: replicas are usually a second behind. */
const GOOD_FOR = 10_000;

export class ToldClaims {
  readonly #here: string;
  readonly #told = new Map<string, { claim: OriginClaim; until: number }>();

  /** @param here this node's region, whose claims the map shows at once: what is told of them is no news. */
  constructor(here: string) {
    this.#here = here;
  }

  learn(claim: OriginClaim): void {
    if (claim.region === this.#here) return;
    const key = `${claim.region} ${claim.priority}`;
    // Notices overtake each other, and a region may tell what itself has not heard the last of.
    if (isNewer(claim, this.#told.get(key)?.claim))
      this.#told.set(key, { claim, until: performance.now() + GOOD_FOR });
  }

  /** The claims as read, with what was told in place of what is older. */
  mergedWith(read: StreamClaims): StreamClaims {
    let { origins } = read;
    for (const [key, { claim, until }] of this.#told) {
      const shown = read.origins.find((other) => isSameItem(other, claim));
      if (performance.now() > until || !isNewer(claim, shown)) this.#told.delete(key);
      else origins = [...origins.filter((other) => other !== shown), claim];
    }
    return { ...read, origins };
  }
}

/** Whether what is said of an item is newer than what is known of it: by epoch, then revision; a release ends an epoch. */
function isNewer(said: OriginClaim, known: OriginClaim | undefined): boolean {
  if (known === undefined || said.epoch !== known.epoch) return said.epoch > (known?.epoch ?? 0);
  if (isHeld(said) !== isHeld(known)) return isHeld(known);
  return (said.revision ?? 0) > (known.revision ?? 0);
}
