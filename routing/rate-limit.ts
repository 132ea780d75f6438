// A token bucket for each key, in bounded memory. (Libraries for it bring stores and timers; of a bucket one number is kept.)

import { LRUCache } from 'lru-cache';

export interface Rate {
  /** How many a full bucket lets through at once. */
  burst: number;
  /** How many it gains in a second. */
  perSecond: number;
}

/** Keys that are remembered; of more the one that was asked for longest ago counts as new, some 200 bytes each. */
const MAX_KEYS = 10_000;

/** Milliseconds that count as none: adding up times rounds them. */
const ROUNDING = 0.001;

/** Lets `burst` and `perSecond` times the seconds through for each key, never more (GCRA, ITU-T I.371 annex A). */
export class RateLimit {
  readonly rate: Rate;
  /** When a key's bucket is full again, in ms. A full one is as good as none. */
  readonly #fullAt: LRUCache<string, number>;

  constructor(rate: Rate, maxKeys = MAX_KEYS) {
    this.rate = rate;
    this.#fullAt = new LRUCache({ max: maxKeys });
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#fullAt.size;
  }

  /**
   * Takes one out of the key's bucket.
   * @param now ms of a clock that never goes back.
   * @returns 0, or the ms until there is one again; then none was taken.
   */
  take(key: string, now: number): number {
    this.#forgetFull(now);
    const { burst, perSecond } = this.rate;
    const interval = 1_000 / perSecond;
    const fullAt = Math.max(this.#fullAt.get(key) ?? now, now) + interval;
    const wait = fullAt - now - burst * interval;
    if (wait > ROUNDING) return wait;
    this.#fullAt.set(key, fullAt);
    return 0;
  }

  /** From the key on that was asked for longest ago: each is looked at once, so that no call takes long. */
  #forgetFull(now: number): void {
    for (const key of this.#fullAt.rkeys()) {
      if ((this.#fullAt.peek(key) ?? 0) > now) return;
      this.#fullAt.delete(key);
    }
  }
}
