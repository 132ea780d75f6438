// One check of a region: what its nodes can take, its standing among the regions, and the DNS made to follow.

import type { ControlStore } from '#routing/control-store.ts';
import type { NodeRegistry } from '#routing/node-registry.ts';
import { nextStanding, type RegionStanding } from '#routing/region-standing.ts';
import { capacityOf } from '../capacity.ts';
import { log } from '../log.ts';
import type { GeoDns } from './geo-dns.ts';

export interface RegionHealthOptions {
  region: string;
  nodes: Pick<NodeRegistry, 'list'>;
  control: Pick<ControlStore, 'regions' | 'setStanding'>;
  dns: GeoDns;
  /** Milliseconds. */
  deadAfter: number;
}

export class RegionHealth {
  readonly #options: RegionHealthOptions;

  constructor(options: RegionHealthOptions) {
    this.#options = options;
  }

  /** @throws Error when a table or the DNS does not answer: then nothing changes but what was written before. */
  async check(): Promise<RegionStanding> {
    const { region, nodes, control, dns, deadAfter } = this.#options;
    const [records, { standings, evacuated }] = await Promise.all([nodes.list(), control.regions()]);
    const now = Date.now();
    const { canServe } = capacityOf(records, now, deadAfter);
    const standing = nextStanding({ region, standings, evacuated, canServe, now });
    const before = standings.find((other) => other.region === region);
    if (before?.out !== standing.out || before.streak !== standing.streak)
      await control.setStanding(standing);
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
