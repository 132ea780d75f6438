// The node's place in the registry: its item, written again with every heartbeat, removed when it stops.

import pRetry from 'p-retry';
import type { Logger } from 'pino';
import type { NodeRecord } from '#routing/node-record.ts';
import type { NodeRegistry } from '#routing/node-registry.ts';

export interface RegistrationOptions {
  registry: NodeRegistry;
  /** The record as it is now; the heartbeat's own fields are filled in here. */
  record: () => Omit<NodeRecord, 'heartbeatAt' | 'registryMs'>;
  /** Milliseconds between beats. */
  interval: number;
  log: Logger;
}

/** The first beat is tried again: a fleet may start while its registry is busy. Milliseconds. */
const FIRST_BEAT = { deadline: 5_000, retries: 4 };
/** No beat is given less than this, in ms, however short the interval. */
const MIN_DEADLINE = 1_000;

/**
 * Beats until it is closed. A registry that does not answer changes nothing about the node: it goes on serving, and
 * says so in the log once per outage.
 */
export class Registration {
  readonly #options: RegistrationOptions;
  readonly #stopped = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();
  #failing = false;
  #lastBeatMs = 0;

  private constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /**
   * @throws Error when the first beat does not reach the registry in about a minute: a node that nobody can find is
   * no use, and whoever started it may start it again.
   */
  static async start(options: RegistrationOptions): Promise<Registration> {
    const registration = new Registration(options);
    await pRetry(() => registration.#beat(FIRST_BEAT.deadline), { retries: FIRST_BEAT.retries });
    registration.#schedule();
    return registration;
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    clearTimeout(this.#timer);
    await this.#beating;
    await this.#options.registry.remove(this.#options.record());
  }

  #schedule(): void {
    const { interval, log } = this.#options;
    // A little irregular, so that the nodes of a region do not all write in the same moment.
    const delay = interval * (0.9 + Math.random() * 0.2);
    this.#timer = setTimeout(() => {
      // A beat that takes longer than the next one's turn is a missed one.
      this.#beating = this.#beat(Math.max(interval, MIN_DEADLINE))
        .then(
          () => {
            if (this.#failing) log.info('the registry answers again');
            this.#failing = false;
          },
          (error: unknown) => {
            if (this.#stopped.signal.aborted) return;
            if (!this.#failing) log.warn({ err: error }, 'the registry does not take the heartbeat');
            this.#failing = true;
          },
        )
        .then(() => {
          if (!this.#stopped.signal.aborted) this.#schedule();
        });
    }, delay);
  }

  async #beat(within: number): Promise<void> {
    const { registry, record } = this.#options;
    const deadline = AbortSignal.timeout(within);
    const started = performance.now();
    const beat = { ...record(), heartbeatAt: Date.now(), registryMs: Math.round(this.#lastBeatMs) };
    await registry.beat(beat, AbortSignal.any([deadline, this.#stopped.signal]));
    this.#lastBeatMs = performance.now() - started;
  }
}
