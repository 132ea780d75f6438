// Work that nobody waits for while the node runs, and that its stop does wait for: releasing claims, above all.

import pRetry from 'p-retry';
import type { Logger } from 'pino';

/** Attempts after the first; p-retry doubles its pause from one second on, so a registry may be away for minutes. */
const RETRIES = 8;

export class Background {
  readonly #log: Logger;
  readonly #running = new Set<Promise<void>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Does the work, again while it fails; a failure for good is logged as `what`. Resolves when either is so. */
  run(what: string, work: () => Promise<unknown>): Promise<void> {
    const running = pRetry(work, { retries: RETRIES }).then(
      () => undefined,
      (error: unknown) => this.#log.warn({ err: error }, `${what} failed`),
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
