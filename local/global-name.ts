// Which regions are under the global name: what Route 53's health checks see, and what region-health decides.

import type { GeoDns } from '#functions/region-health/geo-dns.ts';
import { RegionHealth } from '#functions/region-health/region-health.ts';
import type { ControlStore } from '#routing/control-store.ts';
import type { NodeRegistry } from '#routing/node-registry.ts';
import type { RegionApi } from '#routing/region-client.ts';

/** Milliseconds between checks; on AWS 10 s and a minute, but here one waits for them. */
const INTERVAL = 1_000;

export interface GlobalNameOptions {
  regions: readonly (RegionApi & { nodes: NodeRegistry })[];
  control: ControlStore;
  /** Milliseconds. */
  nodeDeadAfter: number;
}

export class GlobalName {
  readonly #unhealthy = new Set<string>();
  readonly #out = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #checking: Promise<unknown> = Promise.resolve();

  constructor({ regions, control, nodeDeadAfter }: GlobalNameOptions) {
    const checks = regions.map(({ id, nodes }) => {
      const dns: GeoDns = { setOut: async (out) => void (out ? this.#out.add(id) : this.#out.delete(id)) };
      return new RegionHealth({ region: id, nodes, control, dns, deadAfter: nodeDeadAfter });
    });
    this.#timer = setInterval(() => {
      this.#checking = Promise.all([
        ...regions.map((region) => this.#ask(region)),
        // A registry that does not answer changes nothing; the next check comes.
        ...checks.map((region) => region.check().catch(() => undefined)),
      ]);
    }, INTERVAL);
  }

  /** A region counts as well until a check says otherwise. */
  leadsTo(id: string): boolean {
    return !this.#unhealthy.has(id) && !this.#out.has(id);
  }

  /** Resolves when the checks that are at work have ended. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#checking;
  }

  async #ask({ id, api }: RegionApi): Promise<void> {
    const healthy = await fetch(`${api}/healthz`, { signal: AbortSignal.timeout(INTERVAL) }).then(
      ({ ok }) => ok,
      () => false,
    );
    if (healthy) this.#unhealthy.delete(id);
    else this.#unhealthy.add(id);
  }
}
