// Which regions are under the global name: what Route 53's health checks see, and what region-health decides.

import type { GeoDns } from '#functions/region-health/geo-dns.ts';
import { RegionHealth } from '#functions/region-health/region-health.ts';
import type { ControlStore } from '#routing/control-store.ts';
import type { NodeRegistry } from '#routing/node-registry.ts';
import type { RegionApi } from '#routing/region-client.ts';
import type { StandingStore } from '#routing/standing-store.ts';

/** Milliseconds between looks at /healthz and between region-health's checks: on AWS 10 s and a minute, but here one waits. */
const LOOK = 2_000;
const CHECK = 1_000;

export interface GlobalNameOptions {
  /** With each region's own tables. */
  regions: readonly (RegionApi & { nodes: NodeRegistry; control: ControlStore; standings: StandingStore })[];
  /** Milliseconds. */
  nodeDeadAfter: number;
}

export class GlobalName {
  readonly #unhealthy = new Set<string>();
  readonly #out = new Set<string>();
  readonly #timers: readonly NodeJS.Timeout[];
  #looking: Promise<unknown> = Promise.resolve();
  #checking: Promise<unknown> = Promise.resolve();

  constructor({ regions, nodeDeadAfter }: GlobalNameOptions) {
    const checks = regions.map(({ id, nodes, control, standings }) => {
      const dns: GeoDns = { setOut: async (out) => void (out ? this.#out.add(id) : this.#out.delete(id)) };
      return new RegionHealth({
        region: id,
        regions: regions.map((region) => region.id),
        nodes,
        control,
        standings,
        dns,
        deadAfter: nodeDeadAfter,
        interval: CHECK,
      });
    });
    const look = () => {
      this.#looking = Promise.all(regions.map((region) => this.#ask(region)));
    };
    const check = () => {
      // A registry that does not answer changes nothing; the next check comes.
      this.#checking = Promise.all(checks.map((region) => region.check().catch(() => undefined)));
    };
    this.#timers = [setInterval(look, LOOK), setInterval(check, CHECK)];
  }

  /** A region counts as well until a check says otherwise. */
  leadsTo(id: string): boolean {
    return !this.#unhealthy.has(id) && !this.#out.has(id);
  }

  /** Resolves when the checks that are at work have ended. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all([this.#looking, this.#checking]);
  }

  async #ask({ id, api }: RegionApi): Promise<void> {
    const healthy = await fetch(`${api}/healthz`, { signal: AbortSignal.timeout(LOOK) }).then(
      ({ ok }) => ok,
      () => false,
    );
    if (healthy) this.#unhealthy.delete(id);
    else this.#unhealthy.add(id);
  }
}
