// One check of a region: what its nodes can take, its standing among the regions, and the DNS made to follow.

import type { ControlStore } from '#routing/control-store.ts';
import type { NodeRegistry } from '#routing/node-registry.ts';
import { nextStanding, type RegionStanding } from '#routing/region-standing.ts';
import type { StandingStore } from '#routing/standing-store.ts';
import { capacityOf } from '../capacity.ts';
import { log } from '../log.ts';
import { CANNOT_SERVE } from './contract.ts';
import type { GeoDns } from './geo-dns.ts';

export interface RegionHealthOptions {
  region: string;
  /** The ids of all regions. */
  regions: readonly string[];
  nodes: Pick<NodeRegistry, 'list'>;
  control: Pick<ControlStore, 'regions'>;
  standings: StandingStore;
  dns: GeoDns;
  /** Milliseconds. */
  deadAfter: number;
  /** Milliseconds between checks. */
  interval: number;
}

export class RegionHealth {
  readonly #options: RegionHealthOptions;

  constructor(options: RegionHealthOptions) {
    this.#options = options;
  }

  /**
   * @returns undefined when another check was at work: it goes by what that one found.
   * @throws Error when a table or the DNS does not answer: then nothing changes but what was written before.
   */
  async check(): Promise<RegionStanding | undefined> {
    const { region, regions, nodes, dns, deadAfter, interval } = this.#options;
    const [records, { standings, evacuated }] = await Promise.all([
      nodes.list(),
      this.#options.control.regions(),
    ]);
    const now = Date.now();
    const { canServe, groups } = capacityOf(records, now, deadAfter);
    const standing = nextStanding({ region, regions, standings, evacuated, canServe, now, interval });
    const before = standings.find((other) => other.region === region);
    if (!(await this.#options.standings.write(standing, before))) return undefined;
    if (!canServe) log.warn(CANNOT_SERVE, { region, groups, out: standing.out });
    if (before !== undefined && before.out !== standing.out) {
      const message = standing.out
        ? 'the region leaves the global name'
        : 'the region is under the global name again';
      log.warn(message, { region, canServe, evacuated: evacuated.has(region) });
    }
    await dns.setOut(standing.out);
    return standing;
  }
}
