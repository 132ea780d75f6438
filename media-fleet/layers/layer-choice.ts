// Which simulcast layer a viewer gets whose client gives no bandwidth estimate: what its receiver reports say decides.

/** What a viewer's reports say of its link, and what the stream's layers would take of it. */
export interface LinkReading {
  /** By a clock that never goes back, ms. */
  at: number;
  /** The share of the packets that did not arrive since the last reading, 0 to 1; undefined when nothing was reported. */
  loss: number | undefined;
  /** From the last report, ms; undefined while it is not known. */
  roundTrip: number | undefined;
  /** Bits per second of each layer now, lowest first; 0 for one that is not sent. */
  bitrates: readonly number[];
}

/** Shares of packets above which GCC's loss controller lowers its rate, and below which it raises it (draft-ietf-rmcat-gcc-02 section 6). */
export const HEAVY_LOSS = 0.1;
export const LIGHT_LOSS = 0.02;

/** A queue on the way that is longer than LEDBAT's target, ms (RFC 6817 section 2.5), is our doing: no time to send more. */
export const LONG_QUEUE = 100;
/** Twice that, in this many reports on end, is as bad as loss: deep buffers delay long before they lose. */
export const TOO_LONG_QUEUE = 200;
const LATE_REPORTS = 2;

/** Between two changes, ms: a new layer begins with its key frame, and a second is the most that libwebrtc takes to report. */
export const BETWEEN_CHANGES = 2_000;

/** So long nothing may be amiss before the next layer is tried, ms: three reports of a libwebrtc client. */
export const CLEAN_BEFORE_CLIMB = 3_000;

/** Before a layer that failed is tried again, ms: mediasoup's own pause after it stepped down for its estimate (10 s), twice as long each time. */
export const FIRST_WAIT = 10_000;
/** The longest such wait; and a layer that held for so long may fail as if for the first time. */
export const LONGEST_WAIT = 300_000;

/** The longest that a layer which failed before must go well until the next is tried, ms. */
const LONGEST_PROOF = 60_000;

/** For how long the shortest round trip is taken for that of an empty link, ms; ways change. */
const BASE_WINDOW = 60_000;

interface Failure {
  wait: number;
  until: number;
}

/** One viewer's link. It begins at the lowest layer: what the link carries shows only in what it carried. */
export class LayerChoice {
  #layer = 0;
  #changedAt = Number.NEGATIVE_INFINITY;
  #cleanSince: number | undefined;
  #lateReports = 0;
  #lastQueue = 0;
  /** By layer. */
  readonly #failures = new Map<number, Failure>();
  #shortest = {
    from: Number.NEGATIVE_INFINITY,
    now: Number.POSITIVE_INFINITY,
    before: Number.POSITIVE_INFINITY,
  };

  /** The spatial layer to prefer. */
  get layer(): number {
    return this.#layer;
  }

  /** Takes a reading in. @returns the layer to prefer from now on. */
  read({ at, loss, roundTrip, bitrates }: LinkReading): number {
    const highest = bitrates.findLastIndex((bitrate) => bitrate > 0);
    if (loss !== undefined) this.#judge(at, loss, roundTrip);
    if (at - this.#changedAt < BETWEEN_CHANGES) return this.#layer;

    // Its publisher sends it no more; mediasoup has gone down already, and it is nobody's failure.
    if (highest >= 0 && this.#layer > highest) return this.#change(highest, at);
    if (loss === undefined) return this.#layer;
    if (loss > HEAVY_LOSS || this.#lateReports >= LATE_REPORTS) {
      if (this.#layer === 0) return 0;
      this.#fail(at);
      return this.#change(lower(this.#layer, loss, bitrates), at);
    }
    const next = bitrates.findIndex((bitrate, layer) => layer > this.#layer && bitrate > 0);
    const clean = this.#cleanSince === undefined ? 0 : at - this.#cleanSince;
    if (next > 0 && clean >= this.#proof() && this.#mayTry(next, at)) return this.#change(next, at);
    return this.#layer;
  }

  #judge(at: number, loss: number, roundTrip: number | undefined): void {
    const queue = this.#queue(at, roundTrip);
    // One that becomes shorter was left by a higher layer.
    this.#lateReports = queue > TOO_LONG_QUEUE && queue >= this.#lastQueue ? this.#lateReports + 1 : 0;
    this.#lastQueue = queue;
    if (loss < LIGHT_LOSS && queue <= LONG_QUEUE) this.#cleanSince ??= at;
    else this.#cleanSince = undefined;
  }

  /** How much longer the way is than when it was empty, ms. */
  #queue(at: number, roundTrip: number | undefined): number {
    if (roundTrip === undefined) return 0;
    const { from, now, before } = this.#shortest;
    this.#shortest =
      at - from > BASE_WINDOW
        ? { from: at, now: roundTrip, before: now }
        : { from, now: Math.min(now, roundTrip), before };
    return roundTrip - Math.min(this.#shortest.now, before);
  }

  #change(layer: number, at: number): number {
    this.#layer = layer;
    this.#changedAt = at;
    this.#cleanSince = undefined;
    this.#lateReports = 0;
    return layer;
  }

  #fail(at: number): void {
    const last = this.#failures.get(this.#layer);
    const held = at - this.#changedAt;
    const wait =
      last === undefined || held >= LONGEST_WAIT ? FIRST_WAIT : Math.min(2 * last.wait, LONGEST_WAIT);
    this.#failures.set(this.#layer, { wait, until: at + wait });
  }

  /** How long nothing may be amiss before the next layer is tried, ms: longer on a layer that has failed itself. */
  #proof(): number {
    const failure = this.#failures.get(this.#layer);
    return failure === undefined ? CLEAN_BEFORE_CLIMB : Math.min(failure.wait, LONGEST_PROOF);
  }

  /** What a lower layer was too much for is too much for a higher one. */
  #mayTry(layer: number, at: number): boolean {
    return [...this.#failures].every(([failed, { until }]) => failed > layer || until <= at);
  }
}

/** The highest layer below this one that fits into what arrived of it; the lowest when none does. */
function lower(layer: number, loss: number, bitrates: readonly number[]): number {
  const arrived = (bitrates[layer] ?? 0) * (1 - loss);
  const sent = bitrates.slice(0, layer);
  const fitting = sent.findLastIndex((bitrate) => bitrate > 0 && bitrate <= arrived);
  return fitting >= 0
    ? fitting
    : Math.max(
        0,
        sent.findIndex((bitrate) => bitrate > 0),
      );
}
