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
    const seen = await Promise.resolve()
      .then(look)
      .then(
        (state) => ({ state }),
        (error: unknown) => ({ error }),
      );
    if ('state' in seen && wanted(seen.state)) return seen.state;
    if (performance.now() > deadline) {
      const [last, cause] = 'state' in seen ? [JSON.stringify(seen.state)] : [String(seen.error), seen.error];
      throw new Error(`not within ${within} ms; last: ${last}`, { cause });
    }
    await sleep(100);
  }
}
