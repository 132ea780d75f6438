// How late this process's event loop runs: a gap measured while it was late may be its own.

/** ms between looks. */
const INTERVAL = 10;
/** Lag from which on it counts, in ms, and its share of a gap from which on the gap is not to be trusted. */
export const LATE = 50;
const SHARE = 0.1;

interface Late {
  from: number;
  to: number;
}

export class LagMeter {
  readonly #late: Late[] = [];
  readonly #timer: NodeJS.Timeout;
  #lookedAt = performance.now();
  #longest = 0;

  constructor() {
    this.#timer = setInterval(() => this.#look(), INTERVAL);
  }

  /** Whether a gap is not the loop's own lateness; both in performance.now()'s ms. */
  trusts(from: number, to: number): boolean {
    const late = this.#late
      .filter((each) => each.from < to && each.to > from)
      .reduce((sum, each) => sum + each.to - each.from, 0);
    return late <= (to - from) * SHARE;
  }

  /** The longest since the last call, in ms. */
  takeLongest(): number {
    const longest = this.#longest;
    this.#longest = 0;
    return longest;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    const lag = now - this.#lookedAt - INTERVAL;
    if (lag > LATE) this.#late.push({ from: this.#lookedAt, to: now });
    this.#longest = Math.max(this.#longest, lag);
    this.#lookedAt = now;
  }
}
