// A viewer as a player is: it joins, measures the time between pictures, and joins again when its session is lost.

import { setTimeout as sleep } from 'node:timers/promises';
import { Viewer } from '#test/media/libwebrtc.ts';
import type { Noted } from './audience-messages.ts';
import type { LagMeter } from './lag.ts';

export interface PlayerOptions {
  stream: string;
  region: string;
  /** The WHEP endpoint. */
  url: string;
  /** Which node has this address. */
  nodeAt: (address: string) => string | undefined;
  log: (line: string) => void;
}

/** The longest time without a picture, in performance.now()'s ms. */
export interface Gap {
  from: number;
  to: number;
}

/** What is noted between two marks. */
interface Observed {
  /** Its session at the beginning. */
  viewer: Viewer | undefined;
  node: string | undefined;
  edgeDied: boolean;
  gap: Gap;
  lost: number;
  renewed: number;
}

/** How long a player on a node that died waits for a picture before it joins again, in ms: its own stall detection. */
const STALL = 1_000;
/** Between attempts to join, in ms. */
const RETRY = 500;
const LOOK = 100;

export class Player {
  readonly stream: string;
  readonly region: string;
  readonly #options: PlayerOptions;
  readonly #closed = new AbortController();
  #viewer: Viewer | undefined;
  #joining = false;
  #node: string | undefined;
  #pictureAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #observed: Observed | undefined;

  constructor(options: PlayerOptions) {
    this.#options = options;
    this.stream = options.stream;
    this.region = options.region;
  }

  /** The node that serves it, undefined while none does. */
  get node(): string | undefined {
    return this.#node;
  }

  /** When its last picture came. */
  get pictureAt(): number {
    return this.#pictureAt;
  }

  get name(): string {
    return `viewer of ${this.stream} in ${this.region} on ${this.#node ?? 'no node'}`;
  }

  /** Joins until it has joined. */
  async join(): Promise<void> {
    if (this.#joining) return;
    this.#joining = true;
    const { signal } = this.#closed;
    let refused = false;
    try {
      while (!signal.aborted) {
        try {
          const viewer = await Viewer.start({ url: this.#options.url });
          if (signal.aborted) {
            await viewer.stop().catch(() => undefined);
            return;
          }
          this.#watch(viewer);
          return;
        } catch (error) {
          const why = error instanceof Error ? error.message : String(error);
          if (!refused) this.#options.log(`a ${this.name} could not join at once: ${why}`);
          refused = true;
          await sleep(RETRY, undefined, { signal }).catch(() => undefined);
        }
      }
    } finally {
      this.#joining = false;
    }
  }

  /** Leaves as a player should, and joins again: perhaps on another node. */
  async rejoin(): Promise<void> {
    const viewer = this.#forget();
    await viewer?.stop().catch(() => undefined);
    await this.join();
  }

  /** Begins an observation. @param hit the node that is about to be hit. */
  observe(hit: string | undefined): void {
    this.#observed = {
      viewer: this.#viewer,
      node: this.#node,
      edgeDied: hit !== undefined && this.#node === hit,
      gap: { from: this.#pictureAt, to: this.#pictureAt },
      lost: 0,
      renewed: 0,
    };
  }

  /** Ends the observation. */
  observation(lag: LagMeter): Noted {
    if (this.#observed === undefined) throw new Error('no observation was begun');
    const { viewer: _, gap, ...rest } = this.#observed;
    this.#observed = undefined;
    const now = performance.now();
    const { from, to } = now - this.#pictureAt > gap.to - gap.from ? { from: this.#pictureAt, to: now } : gap;
    return { ...rest, gap: to - from, trusted: lag.trusts(from, to) };
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#forget()
      ?.stop()
      .catch(() => undefined);
  }

  #watch(viewer: Viewer): void {
    this.#viewer = viewer;
    this.#node = this.#options.nodeAt(hostIn(viewer.session.answer));
    viewer.on('frame', () => this.#picture());
    viewer.connection.onconnectionstatechange = () => {
      const { connectionState } = viewer.connection;
      if (this.#viewer !== viewer || !['failed', 'closed'].includes(connectionState)) return;
      this.#options.log(`a ${this.name} lost its session: ${connectionState}`);
      if (this.#observed) this.#observed.lost += 1;
      this.#renew();
    };
    this.#timer = setInterval(() => {
      const isDoomed = this.#observed?.edgeDied === true && this.#observed.viewer === viewer;
      if (isDoomed && performance.now() - this.#pictureAt > STALL) this.#renew();
    }, LOOK);
  }

  #renew(): void {
    if (this.#observed) this.#observed.renewed += 1;
    // Its node may not answer, and its player does not wait for that.
    void this.#forget()
      ?.stop()
      .catch(() => undefined);
    void this.join();
  }

  #forget(): Viewer | undefined {
    const viewer = this.#viewer;
    this.#viewer = undefined;
    this.#node = undefined;
    clearInterval(this.#timer);
    viewer?.removeAllListeners('frame');
    return viewer;
  }

  #picture(): void {
    const now = performance.now();
    const observed = this.#observed;
    if (observed && now - this.#pictureAt > observed.gap.to - observed.gap.from) {
      observed.gap = { from: this.#pictureAt, to: now };
    }
    this.#pictureAt = now;
  }
}

/** The address of an answer's first host candidate. */
const hostIn = (answer: string): string =>
  /a=candidate:\S+ \d+ udp \d+ (\S+) \d+ typ host/i.exec(answer)?.[1] ?? '';
