// A publisher's hold on its stream: the origin claim, taken when media connects, watched while it lasts, released.

import { EventEmitter } from 'node:events';
import type { Logger } from 'pino';
import {
  activeOrigin,
  nextOriginEpoch,
  type OriginClaim,
  precedes,
  type StreamClaims,
  sameHolder,
  type Viewing,
} from '#routing/claims.ts';
import type { RegionClient } from '#routing/region-client.ts';
import type { StreamMap } from '#routing/stream-map.ts';
import type { Timing } from '#routing/timing.ts';
import type { Background } from './background.ts';
import type { Self } from './source.ts';

export interface OriginRoleOptions {
  stream: string;
  self: Self;
  priority: number;
  tokenId: string;
  viewing: Viewing;
  streamMap: StreamMap;
  regions: RegionClient;
  background: Background;
  timing: Timing;
  log: Logger;
}

/** Attempts to write a claim against others who write the same item. */
const CLAIM_ATTEMPTS = 5;

/**
 * Emits `active` when this origin is the stream's active one, `standby` when one of a higher priority is, `lost` when
 * a newer one of its own priority is: then it must step down.
 */
export class OriginRole extends EventEmitter<{ active: [OriginClaim]; standby: []; lost: [] }> {
  readonly #options: OriginRoleOptions;
  #claim: OriginClaim | undefined;
  #timer: NodeJS.Timeout | undefined;
  #active = false;
  #checking = false;
  #closed = false;

  constructor(options: OriginRoleOptions) {
    super();
    this.#options = options;
  }

  /**
   * Writes the claim, newer than every one that can be seen, and tells the regions that it concerns.
   * @throws Error when the stream map does not take it.
   */
  async take(): Promise<void> {
    const { stream, streamMap } = this.#options;
    for (let attempt = 0; attempt < CLAIM_ATTEMPTS && !this.#closed; attempt += 1) {
      const claims = await streamMap.read(stream, { consistent: true });
      const claim = this.#newClaim(claims);
      const seen = claims.origins.find(
        (other) => other.region === claim.region && other.priority === claim.priority,
      );
      if (!(await streamMap.claimOrigin(claim, seen))) continue;
      this.#claim = claim;
      // Closed while the claim was being written: nobody else will release it.
      if (this.#closed) this.#release();
      else {
        this.#judge({ ...claims, origins: [...claims.origins.filter((other) => other !== seen), claim] });
        this.#tellOthers(claims, claim);
        this.#timer = setInterval(() => this.check(), this.#options.timing.claimCheck);
      }
      return;
    }
    if (!this.#closed) throw new Error(`the origin claim of ${stream} was overtaken ${CLAIM_ATTEMPTS} times`);
  }

  /** Reads the claims again and acts on what they say; called by the timer and by notices. */
  check(): void {
    if (this.#checking || this.#closed) return;
    this.#checking = true;
    const { stream, streamMap, log } = this.#options;
    streamMap
      .read(stream, { consistent: true })
      .then((claims) => this.#judge(claims))
      // An outage of the map changes nothing about the media; the next check comes.
      .catch((error: unknown) => log.warn({ err: error, stream }, 'the origin claim could not be checked'))
      .finally(() => {
        this.#checking = false;
      });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#release();
  }

  #newClaim(claims: StreamClaims): OriginClaim {
    const { stream, self, priority, tokenId, viewing } = this.#options;
    const epoch = nextOriginEpoch(claims);
    return { stream, ...self, epoch, priority, tokenId, startedAt: Date.now(), viewing };
  }

  #judge(claims: StreamClaims): void {
    const mine = this.#claim;
    if (mine === undefined || this.#closed) return;
    const active = activeOrigin(claims);
    const superseded = active && active.priority === mine.priority && precedes(active, mine);
    const standing = claims.origins.some(
      (claim) => sameHolder(claim, mine) && claim.epoch === mine.epoch && claim.releasedAt === undefined,
    );
    if (!standing && !superseded) {
      this.#takeBack();
      return;
    }
    if (active && sameHolder(active, mine) && active.epoch === mine.epoch) {
      if (!this.#active) {
        this.#active = true;
        this.emit('active', mine);
      }
    } else if (active && active.priority > mine.priority) {
      if (this.#active) {
        this.#active = false;
        this.emit('standby');
      }
    } else if (superseded) {
      this.emit('lost');
    }
  }

  /** The claim is gone though its holder lives: a table was restored, or the region took this node for dead. */
  #takeBack(): void {
    const { stream, log } = this.#options;
    log.warn({ stream }, 'the origin claim is gone; taking it again');
    clearInterval(this.#timer);
    this.#active = false;
    this.take().catch((error: unknown) => {
      log.warn({ err: error, stream }, 'the origin claim could not be taken again');
      this.emit('lost');
    });
  }

  /** Old origins and secondary origins learn of us at once rather than at their next check. */
  #tellOthers(before: StreamClaims, claim: OriginClaim): void {
    const { regions, log } = this.#options;
    const holders = [...before.origins, ...before.regions].filter(
      ({ releasedAt }) => releasedAt === undefined,
    );
    for (const region of new Set(holders.map((holder) => holder.region))) {
      regions
        .tell(region, { v: 1, stream: claim.stream, type: 'superseded', epoch: claim.epoch })
        .catch((error: unknown) => log.info({ err: error, region }, 'a region was not told of a new origin'));
    }
  }

  #release(): void {
    const claim = this.#claim;
    if (claim === undefined) return;
    this.#claim = undefined;
    const { streamMap, background } = this.#options;
    background.run(`releasing the origin claim of ${claim.stream}`, () => streamMap.releaseOrigin(claim));
  }
}
