// Work that nobody waits for while the node runs, and that its stop does wait for: releasing claims, above all.

import pRetry from 'p-retry';
import type { Logger } from 'pino';

/** For as long as the node lives: a claim that is not released keeps a stream live that nobody publishes. Milliseconds. */
const RETRY = {
  retries: Number.POSITIVE_INFINITY,
  minTimeout: 200,
  maxTimeout: 10_000,
};

export class Background {
  readonly #log: Logger;
  readonly #running = new Set<Promise<void>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Does the work, again while it fails: that is logged once, as `what`. Resolves when it is done. */
  run(what: string, work: () => Promise<unknown>): Promise<void> {
    let failing = false;
    const running = pRetry(work, {
      ...RETRY,
      onFailedAttempt: ({ error }) => {
        if (!failing) this.#log.warn({ err: error }, `${what} failed; trying on`);
        failing = true;
      },
    }).then(
      () => undefined,
      // p-retry does not repeat what can only be a fault of the code.
      (error: unknown) => this.#log.error({ err: error }, `${what} failed`),
    );
    this.#running.add(running);
    running.finally(() => this.#running.delete(running));
    return running;
  }

  /** Resolves when all that runs is done, or after `deadline` ms. */
  async settled(deadline: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, deadline);
    await Promise.race([Promise.all(this.#running), promise]);
    clearTimeout(timer);
  }
}
