// Time that a test moves, caches' included: lru-cache holds on to the real `performance`, which fake timers replace.

import { vi } from 'vitest';

const { performance } = globalThis;

/** Stops all clocks, the time of day at `now`; `vi.advanceTimersByTime` moves them. */
export function stopClocks(now: number): void {
  vi.useFakeTimers({ now });
  // To lru-cache an item from time 0 is one that never grows old.
  vi.spyOn(performance, 'now').mockImplementation(() => 1 + globalThis.performance.now());
}

export function startClocks(): void {
  vi.restoreAllMocks();
  vi.useRealTimers();
}
