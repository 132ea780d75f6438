// What Route 53's health checks do: asks each region's /healthz, so that DNS leads nobody to a region that cannot serve.

import type { RegionApi } from '#routing/region-client.ts';

/** Milliseconds between checks; Route 53's fast ones come every 10 s, but here one waits for them. */
const INTERVAL = 1_000;

export class RegionHealth {
  readonly #unhealthy = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(apis: readonly RegionApi[]) {
    this.#timer = setInterval(() => {
      for (const region of apis) void this.#check(region);
    }, INTERVAL);
  }

  /** A region counts as healthy until a check says otherwise. */
  isHealthy(id: string): boolean {
    return !this.#unhealthy.has(id);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #check({ id, api }: RegionApi): Promise<void> {
    const healthy = await fetch(`${api}/healthz`, { signal: AbortSignal.timeout(INTERVAL) }).then(
      ({ ok }) => ok,
      () => false,
    );
    if (healthy) this.#unhealthy.delete(id);
    else this.#unhealthy.add(id);
  }
}
