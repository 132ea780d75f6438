// When to try again: exponential back-off with jitter, from what the server asked for.
// @ts-check

/** Until the first new try at the most, in ms. */
const FIRST = 1_000;
/** The longest wait that we choose ourselves, in ms. */
const MOST = 30_000;
/**
 * The longest that a server can ask for or `most` can be, in ms. Who asks for more says "not today"; and a timer of more
 * than 2^31 - 1 ms fires at once (HTML section 8.7: it is a `long`).
 */
export const LONGEST = 3_600_000;

/**
 * @typedef {object} BackOffOptions
 * @property {number} [first] ms until the first new try at the most, when the server did not say; 1,000
 * @property {number} [most] ms that a wait grows to, an hour at the most; 30,000
 * @property {() => number} [random] from 0 up to 1
 */

/**
 * Waits that double, each drawn anew: those who were refused together must not come back together (full jitter).
 * A `Retry-After` is the least, and the wait grows from there (draft-ietf-wish-whep section 4.2).
 */
export class BackOff {
  #first;
  #most;
  #random;
  #tries = 0;

  /** @param {BackOffOptions} [options] */
  constructor({ first = FIRST, most = MOST, random = Math.random } = {}) {
    this.#first = first;
    this.#most = Math.min(most, LONGEST);
    this.#random = random;
  }

  /**
   * The next wait.
   * @param {number} [retryAfter] what the server asked for, in ms; more than an hour counts as one
   * @returns {number} ms, up to two hours
   */
  next(retryAfter = 0) {
    const least = Math.min(retryAfter, LONGEST);
    const grown = Math.min(this.#most, Math.max(this.#first, least) * 2 ** this.#tries);
    // At least as wide as what was asked for, or all who were asked the same would come at the same moment.
    const ceiling = Math.max(grown, 2 * least);
    this.#tries = Math.min(this.#tries + 1, 30);
    return least + this.#random() * (ceiling - least);
  }

  /** What we waited for has come. */
  reset() {
    this.#tries = 0;
  }
}
