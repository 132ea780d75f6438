// When a stream's next beat is due.

/** Calls `beat` when it is due; each beat says when the next one is. */
export class BeatClock {
  readonly #beat: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** By the process's clock, in ms. */
  #dueAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(beat: () => void) {
    this.#beat = beat;
  }

  /** The next beat is due after so many ms, whatever was due before. */
  next(delay: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#dueAt = performance.now() + delay;
    this.#timer = setTimeout(this.#beat, delay);
  }

  /** There is news: the next beat is due in so many ms at the latest. */
  within(delay: number): void {
    if (performance.now() + delay < this.#dueAt) this.next(delay);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }
}
