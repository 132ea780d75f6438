// Waiting for a state that can only be asked for.

import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Polls a remote state until it is as wanted. For what can only be asked, not awaited.
 * @throws Error with the last state when it is not so within `within` ms.
 */
export async function eventually<T>(
  look: () => Promise<T> | T,
  wanted: (state: T) => boolean,
  within = 30_000,
): Promise<T> {
  const deadline = performance.now() + within;
  for (;;) {
    const state = await look();
    if (wanted(state)) return state;
    if (performance.now() > deadline)
      throw new Error(`not within ${within} ms; last: ${JSON.stringify(state)}`);
    await sleep(100);
  }
}
