// Releases what this region's dead nodes left claimed, so that no stream stays live that nobody publishes.

import { type Claim, type OriginClaim, sameHolder } from '#routing/claims.ts';
import type { HeldClaims } from '#routing/stream-map.ts';
import type { Timing } from '#routing/timing.ts';
import type { Background } from './background.ts';
import { type DeadOriginContext, replaceDeadOrigin } from './dead-origin.ts';
import { type Holder, holds, type Peers } from './peers.ts';
import type { Self } from './source.ts';

export interface SweepOptions extends DeadOriginContext {
  self: Self;
  peers: Peers;
  background: Background;
  timing: Timing;
}

/** Items that a page of the scan looks at. */
const PAGE = 100;
/** However large the region, a node looks this often, in ms. */
const MOST = 60_000;

/**
 * Looks now and then whether the region's living nodes have changed, and only then reads the claims. Every node does,
 * each the more seldom the more there are, so that the region looks about once in `claimSweep`. Releasing is
 * conditional on holder and epoch: two nodes that release the same claim do no harm, and an origin whose claim was
 * taken for dead by mistake takes it back at its next check.
 */
export class Sweep {
  readonly #options: SweepOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #known = '';
  #closed = false;

  constructor(options: SweepOptions) {
    this.#options = options;
    this.#schedule(1);
  }

  /** Resolves when a look that is at work has ended. */
  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    return this.#looking;
  }

  #schedule(nodes: number): void {
    const { timing, log } = this.#options;
    const delay = Math.min(MOST, timing.claimSweep * nodes) * (0.5 + Math.random());
    this.#timer = setTimeout(() => {
      this.#looking = this.#look()
        .catch((error: unknown) => {
          log.info({ err: error }, 'the claims could not be swept');
          return nodes;
        })
        .then((count) => {
          if (!this.#closed) this.#schedule(count);
        });
    }, delay);
  }

  /** @returns how many nodes live. */
  async #look(): Promise<number> {
    // One lost probe is no death: an origin whose claim goes loses its viewers for a moment.
    const alive = await this.#options.peers.beating({ exact: true });
    const living = alive
      .map(({ nodeId, incarnation }) => `${nodeId} ${incarnation}`)
      .sort()
      .join();
    if (living !== this.#known) {
      const settled = await this.#sweep(alive);
      // Only now: a sweep that failed, or spared somebody for the moment, is made again.
      if (settled) this.#known = living;
    }
    return Math.max(1, alive.length);
  }

  /** @returns false when a node was spared that the registry holds for dead. */
  async #sweep(alive: readonly Holder[]): Promise<boolean> {
    const { self, streamMap } = this.#options;
    let settled = true;
    let after: string | undefined;
    do {
      const page: HeldClaims = await streamMap.held({ limit: PAGE, after });
      for (const claim of [...page.origins, ...page.regions]) {
        if (claim.region !== self.region || holds([...alive, self], claim)) continue;
        if (!(await this.#release(claim))) settled = false;
      }
      after = page.next;
    } while (after !== undefined && !this.#closed);
    return settled;
  }

  /**
   * Somebody got no answer from the holder of this claim: looks at once.
   * @returns whether the claim was released, for another origin to take its place.
   */
  async look(claim: OriginClaim): Promise<boolean> {
    const { self, streamMap, peers } = this.#options;
    if (claim.region !== self.region || sameHolder(claim, self)) return false;
    const node = (await peers.registered({ exact: true })).find((known) => sameHolder(known, claim));
    if (node && (await peers.probe(node))) return false;
    const claims = await streamMap.read(claim.stream, { consistent: true });
    return replaceDeadOrigin(this.#options, claims, claim);
  }

  /** @returns false when its holder answers all the same. */
  async #release(claim: Claim): Promise<boolean> {
    const { streamMap, peers, background, log } = this.#options;
    if (await peers.revived(claim)) return false;
    const { stream, nodeId } = claim;
    log.warn({ stream, nodeId }, 'releasing the claim of a node that is gone');
    void background.run(`releasing the dead claim of ${stream}`, () => streamMap.release(claim));
    return true;
  }
}
