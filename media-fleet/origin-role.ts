// A publisher's hold on its stream: the origin claim, taken when media connects, watched while it lasts, released.

import { EventEmitter } from 'node:events';
import pRetry from 'p-retry';
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
import type { Peers } from './peers.ts';
import type { Self } from './source.ts';

export interface OriginRoleOptions {
  stream: string;
  self: Self;
  priority: number;
  tokenId: string;
  viewing: Viewing;
  streamMap: StreamMap;
  peers: Peers;
  regions: RegionClient;
  background: Background;
  timing: Timing;
  log: Logger;
}

/** Between attempts to write a claim, ms: as long as the publisher stays, for the stream map may be away for minutes. */
const RETRY = { retries: Number.POSITIVE_INFINITY, minTimeout: 50, maxTimeout: 2_000, randomize: true };

/** Another wrote the same item at the same time. */
class Overtaken extends Error {}

/**
 * Emits `active` when this origin is the stream's active one, `standby` when one of a higher priority is, `lost` when
 * a newer one of its own priority is, or one of another token: then it must step down.
 */
export class OriginRole extends EventEmitter<{ active: [OriginClaim]; standby: []; lost: [] }> {
  readonly #options: OriginRoleOptions;
  readonly #closed = new AbortController();
  #claim: OriginClaim | undefined;
  #timer: NodeJS.Timeout | undefined;
  #active = false;
  #taking = false;
  #checking = false;

  constructor(options: OriginRoleOptions) {
    super();
    this.#options = options;
  }

  /** Writes the claim, newer than every one that can be seen, and tells the regions that it concerns. */
  take(): void {
    if (this.#taking || this.#closed.signal.aborted) return;
    this.#taking = true;
    clearInterval(this.#timer);
    const { stream, timing, log } = this.#options;
    let failing = false;
    pRetry(() => this.#write(), {
      ...RETRY,
      signal: this.#closed.signal,
      onFailedAttempt: ({ error }) => {
        if (failing || error instanceof Overtaken) return;
        failing = true;
        log.warn({ err: error, stream }, 'the stream map does not take the origin claim; trying on');
      },
    })
      .then(
        () => {
          if (!this.#closed.signal.aborted) this.#timer = setInterval(() => this.check(), timing.claimCheck);
        },
        // Nothing but the close ends the attempts.
        () => undefined,
      )
      .finally(() => {
        this.#taking = false;
      });
  }

  /** Reads the claims again and acts on what they say; called by the timer and by notices. */
  check(): void {
    if (this.#claim === undefined || this.#taking || this.#checking || this.#closed.signal.aborted) return;
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
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    clearInterval(this.#timer);
    this.#release();
  }

  async #write(): Promise<void> {
    const { stream, streamMap } = this.#options;
    const claims = await streamMap.read(stream, { consistent: true });
    if (await this.#isTaken(claims)) {
      this.emit('lost');
      return;
    }
    const claim = this.#newClaim(claims);
    const seen = claims.origins.find(
      ({ region, priority }) => region === claim.region && priority === claim.priority,
    );
    // Closed meanwhile: then there is nothing to claim.
    if (this.#closed.signal.aborted) return;
    // Ours from now on: where the answer is lost the item may stand all the same, and only we would release it.
    this.#claim = claim;
    let written = true;
    try {
      written = await streamMap.claimOrigin(claim, seen);
    } finally {
      if (!written) this.#claim = undefined;
      // Closed while the claim was being written: what was released then may have come after.
      else if (this.#closed.signal.aborted) {
        this.#claim = claim;
        this.#release();
      }
    }
    if (!written) throw new Overtaken('another origin wrote its claim first');
    if (this.#closed.signal.aborted) return;
    this.#judge({ ...claims, origins: [...claims.origins.filter((other) => other !== seen), claim] });
    this.#tellOthers(claims, claim);
  }

  /**
   * Whether a publisher with another token has this priority. The function asked that before the POST; but two may have
   * come at once. Whether the holder is dead can be known of this region's nodes only.
   */
  async #isTaken({ origins }: StreamClaims): Promise<boolean> {
    const { self, priority, tokenId, peers } = this.#options;
    const rival = origins.find(
      (claim) => claim.releasedAt === undefined && claim.priority === priority && claim.tokenId !== tokenId,
    );
    if (rival === undefined) return false;
    return rival.region !== self.region || peers.isAlive(rival);
  }

  #newClaim(claims: StreamClaims): OriginClaim {
    const { stream, self, priority, tokenId, viewing } = this.#options;
    const epoch = nextOriginEpoch(claims);
    return { stream, ...self, epoch, priority, tokenId, startedAt: Date.now(), viewing };
  }

  #judge(claims: StreamClaims): void {
    const mine = this.#claim;
    if (mine === undefined || this.#closed.signal.aborted) return;
    const active = activeOrigin(claims);
    const live = claims.origins.filter((claim) => claim.releasedAt === undefined);
    const superseded = live.some((claim) => claim.priority === mine.priority && precedes(claim, mine));
    const standing = live.some((claim) => sameHolder(claim, mine) && claim.epoch === mine.epoch);
    if (superseded) {
      this.emit('lost');
    } else if (!standing) {
      this.#takeBack();
    } else if (active && active.priority > mine.priority) {
      if (!this.#active) return;
      this.#active = false;
      this.emit('standby');
    } else if (!this.#active) {
      this.#active = true;
      this.emit('active', mine);
    }
  }

  /** The claim is gone though its holder lives: a table was restored, or the region took this node for dead. */
  #takeBack(): void {
    const { stream, log } = this.#options;
    log.warn({ stream }, 'the origin claim is gone; taking it again');
    this.#active = false;
    this.take();
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
    void background.run(`releasing the origin claim of ${claim.stream}`, () =>
      streamMap.releaseOrigin(claim),
    );
  }
}
