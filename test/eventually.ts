// Waiting for a state that can only be asked for.

import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Polls a remote state until it is as wanted. For what can only be asked, not awaited. A look that fails is one at which it
 * is not so yet: a node may be late with an answer, or not know yet.
 * @throws Error with the last state, or the last look's error, when it is not so within `within` ms.
 */
export async function eventually<T>(
  look: () => Promise<T> | T,
  wanted: (state: T) => boolean,
  within = 30_000,
): Promise<T> {
  const deadline = performance.now() + within;
  for (;;) {
    let last: string;
    let cause: unknown;
    try {
      const state = await look();
      if (wanted(state)) return state;
      last = JSON.stringify(state);
    } catch (error) {
      last = String(error);
      cause = error;
    }
    if (performance.now() > deadline) throw new Error(`not within ${within} ms; last: ${last}`, { cause });
    await sleep(100);
  }
}
