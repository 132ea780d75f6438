// How late this process's event loop runs: a gap measured while it was late may be its own.

/** ms between looks. */
const INTERVAL = 10;
/** Lag from which on a gap is not to be trusted, in ms. */
export const TRUSTED_LAG = 50;

interface Late {
  from: number;
  to: number;
}

export class LagMeter {
  /** The longest so far, in ms. */
  longest = 0;
  readonly #late: Late[] = [];
  readonly #timer: NodeJS.Timeout;
  #lookedAt = performance.now();

  constructor() {
    this.#timer = setInterval(() => this.#look(), INTERVAL);
  }

  /** Whether the loop was too late at any time in between, both in performance.now()'s ms. */
  wasLate(from: number, to: number): boolean {
    return this.#late.some((late) => late.from < to && late.to > from);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const lag = now - this.#lookedAt - INTERVAL;
    if (lag > TRUSTED_LAG) this.#late.push({ from: this.#lookedAt, to: now });
    this.longest = Math.max(this.longest, lag);
    this.#lookedAt = now;
  }
}
