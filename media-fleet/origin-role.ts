// A publisher's hold on its stream: the origin claim, taken when media connects, watched while it lasts, released.

import { EventEmitter } from 'node:events';
import pRetry from 'p-retry';
import type { Logger } from 'pino';
import {
  givesWayTo,
  isHeld,
  isSameItem,
  type OriginClaim,
  type StreamClaims,
  sameHolder,
  type Takeover,
  type Viewing,
} from '#routing/claims.ts';
import { type Flow, newOriginClaim, originStanding, shouldYield } from '#routing/origin-standing.ts';
import { Problem } from '#routing/problem.ts';
import type { RegionClient } from '#routing/region-client.ts';
import type { StreamMap } from '#routing/stream-map.ts';
import type { Timing } from '#routing/timing.ts';
import type { Background } from './background.ts';
import type { Peers } from './peers.ts';
import type { Self } from './source.ts';
import { tellRegions } from './tell-regions.ts';
import { ToldClaims } from './told-claims.ts';

export interface OriginRoleOptions {
  stream: string;
  self: Self;
  priority: number;
  tokenId: string;
  takeover: Takeover;
  viewing: Viewing;
  /** How the publisher's media comes in. */
  flow: { measure(): Promise<Flow> };
  /** Milliseconds without a packet that are a silence. */
  silence: number;
  /** Whether it takes the stream back from an origin of a lower priority. */
  failback: boolean;
  streamMap: StreamMap;
  peers: Peers;
  regions: RegionClient;
  background: Background;
  timing: Timing;
  log: Logger;
}

/** Between attempts to write a claim, ms: as long as the publisher stays, for the stream map may be away for minutes. */
const RETRY = { retries: Number.POSITIVE_INFINITY, minTimeout: 50, maxTimeout: 2_000, randomize: true };

/** Looks at the media in the time that makes a silence: one that is only half over by the last look is found by the next. */
const LOOKS_PER_SILENCE = 3;

/** Another wrote the same item at the same time. */
class Overtaken extends Error {}

/**
 * Emits `active` when this origin is the stream's active one, `standby` when another goes first, `lost` when a newer
 * one of its own priority is there, or one that its token does not take over: then it must step down.
 */
export class OriginRole extends EventEmitter<{ active: [OriginClaim]; standby: []; lost: [] }> {
  readonly #options: OriginRoleOptions;
  readonly #closed = new AbortController();
  readonly #told: ToldClaims;
  #priority: number;
  #claim: OriginClaim | undefined;
  /** As last read, with our own claim as we last wrote it. */
  #claims: StreamClaims;
  #checks: NodeJS.Timeout | undefined;
  #looks: NodeJS.Timeout | undefined;
  /** The claim that was last emitted as the active one's, while it feeds the stream. */
  #feeding: OriginClaim | undefined;
  /** A claim is being written. */
  #taking = false;
  #checking = false;
  #checkAgain = false;
  #weighing = false;
  /** Of the last change that was written, or may have been. */
  #revision = 0;
  /** Whether the map took the last change is not known: its answer was lost. */
  #unsure = false;
  #failing = false;

  constructor(options: OriginRoleOptions) {
    super();
    this.#options = options;
    this.#priority = options.priority;
    this.#told = new ToldClaims(options.self.region);
    this.#claims = { stream: options.stream, origins: [], regions: [] };
  }

  get priority(): number {
    return this.#priority;
  }

  /** Whether the claim is this origin's. */
  holds({ priority, epoch }: OriginClaim): boolean {
    return this.#claim?.priority === priority && this.#claim.epoch === epoch;
  }

  /** Writes the claim, newer than every one that can be seen, and tells the regions that it concerns. */
  take(): void {
    if (this.#taking || this.#closed.signal.aborted) return;
    this.#taking = true;
    clearInterval(this.#checks);
    pRetry(() => this.#write(), {
      ...RETRY,
      signal: this.#closed.signal,
      onFailedAttempt: ({ error }) => {
        if (!(error instanceof Overtaken))
          this.#failed(error, 'the stream map does not take the origin claim; trying on');
      },
    })
      .then(
        () => {
          if (this.#closed.signal.aborted) return;
          this.#failing = false;
          this.#checks = setInterval(() => this.check(), this.#options.timing.claimCheck);
        },
        // Nothing but the close ends the attempts.
        () => undefined,
      )
      .finally(() => {
        this.#taking = false;
      });
  }

  /** Told of a claim of the stream: looks at once. */
  learn(told: OriginClaim): void {
    this.#told.learn(told);
    this.check();
  }

  /** Reads the claims again and acts on what they say. */
  check(): void {
    if (this.#claim === undefined || this.#taking || this.#closed.signal.aborted) return;
    // One that reads already may have read what is no longer so.
    if (this.#checking) {
      this.#checkAgain = true;
      return;
    }
    this.#checking = true;
    const before = this.#claim;
    this.#read()
      .then((claims) => {
        this.#failing = false;
        // What was read before a claim was written, or while, says nothing of that claim.
        if (!this.#taking && this.holds(before)) this.#judge(claims);
      })
      // An outage of the map changes nothing about the media; the next check comes.
      .catch((error: unknown) => this.#failed(error, 'the origin claim could not be checked; trying on'))
      .finally(() => {
        this.#checking = false;
        if (!this.#checkAgain) return;
        this.#checkAgain = false;
        this.check();
      });
  }

  /**
   * Goes on with another priority, until its publisher leaves: the claim of that priority first, then the old one goes.
   * @throws Problem 409 when another origin has that priority, or this one's claim is just being written.
   */
  async setPriority(priority: number): Promise<void> {
    const old = this.#claim;
    if (old === undefined || this.#taking) throw conflict('the origin’s claim is being written; try again');
    if (priority === old.priority) return;
    this.#taking = true;
    try {
      await this.#change(old, priority);
    } finally {
      this.#taking = false;
    }
  }

  async #change(old: OriginClaim, priority: number): Promise<void> {
    const { stream, streamMap } = this.#options;
    const claims = await this.#read();
    if (claims.origins.some((claim) => isHeld(claim) && claim.priority === priority)) {
      throw conflict(`another origin of ${stream} has priority ${priority}`);
    }
    const { yields = false } = old;
    // What it has shown of its steadiness stays shown.
    const claim = { ...newOriginClaim(claims, { ...old, priority }), yields };
    if (this.#closed.signal.aborted) throw conflict(`this origin of ${stream} has ended`);
    let written: boolean;
    try {
      written = await streamMap.claimOrigin(claim, itemOf(claims, claim));
    } catch (error) {
      // Where the answer was lost the item may stand all the same: this origin would stand by for itself.
      this.#release(claim);
      throw error;
    }
    if (!written) throw conflict(`another origin of ${stream} took priority ${priority} just now`);
    if (this.#closed.signal.aborted) {
      this.#release(claim);
      return;
    }
    this.#claim = claim;
    this.#priority = priority;
    this.#release(old);
    this.#judge(withClaim(withoutClaim(claims, old), claim));
    this.#tellOthers(claim);
  }

  /** Another publisher of this very node feeds the stream now: if this one is the active origin again, it says so anew. */
  standDown(): void {
    this.#feeding = undefined;
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    clearInterval(this.#checks);
    clearInterval(this.#looks);
    const claim = this.#claim;
    this.#claim = undefined;
    if (claim) this.#release(claim);
  }

  async #write(): Promise<void> {
    const { stream, self, tokenId, viewing, streamMap } = this.#options;
    const claims = await this.#read();
    if (await this.#isTaken(claims)) {
      this.emit('lost');
      return;
    }
    const priority = this.#priority;
    const holder = { stream, ...self, priority, tokenId, startedAt: Date.now(), viewing };
    const claim = newOriginClaim(claims, holder);
    // Closed meanwhile: then there is nothing to claim.
    if (this.#closed.signal.aborted) return;
    // Ours from now on: where the answer is lost the item may stand all the same, and only we would release it.
    this.#claim = claim;
    let written = true;
    try {
      written = await streamMap.claimOrigin(claim, itemOf(claims, claim));
    } finally {
      if (!written) this.#claim = undefined;
      // Closed while the claim was being written: what was released then may have come after.
      else if (this.#closed.signal.aborted) this.#release(claim);
    }
    if (!written) throw new Overtaken('another origin wrote its claim first');
    if (this.#closed.signal.aborted) return;
    this.#judge(withClaim(claims, claim));
    this.#tellOthers(claim);
  }

  /**
   * Whether a publisher that the token does not take over has this priority. The function asked that before the POST; but two may have
   * come at once. Whether the holder is dead can be known of this region's nodes only.
   */
  async #isTaken({ origins }: StreamClaims): Promise<boolean> {
    const { self, tokenId, takeover, peers } = this.#options;
    const token = { id: tokenId, takeover, priority: this.#priority };
    // Our own claim may stand though its answer was lost.
    const isOwn = (claim: OriginClaim) => sameHolder(claim, self) && this.holds(claim);
    const rival = origins.find((claim) => givesWayTo(claim, token) && !isOwn(claim));
    if (rival === undefined) return false;
    return rival.region !== self.region || peers.isAlive(rival);
  }

  async #read(): Promise<StreamClaims> {
    const { stream, streamMap } = this.#options;
    return this.#told.mergedWith(await streamMap.read(stream, { consistent: true }));
  }

  #judge(read: StreamClaims): void {
    const mine = this.#claim;
    if (mine === undefined || this.#closed.signal.aborted) return;
    // What a read says of our own claim may be older than what we wrote since.
    const claims = withOwnWord(read, mine);
    this.#claims = claims;
    this.#lookWhile(claims.origins.some((claim) => isHeld(claim) && !this.holds(claim)));
    const standing = originStanding(claims, mine);
    if (standing === 'superseded') {
      this.emit('lost');
    } else if (standing === 'gone') {
      this.#takeBack();
    } else if (standing === 'standby') {
      if (this.#feeding === undefined) return;
      this.#feeding = undefined;
      this.emit('standby');
    } else if (this.#feeding?.epoch !== mine.epoch || this.#feeding.priority !== mine.priority) {
      this.#feeding = mine;
      this.emit('active', mine);
    }
  }

  /** Media is looked at only where another origin could take the stream. */
  #lookWhile(rivals: boolean): void {
    if (rivals === (this.#looks !== undefined)) return;
    clearInterval(this.#looks);
    const every = this.#options.silence / LOOKS_PER_SILENCE;
    this.#looks = rivals ? setInterval(() => this.#weigh(), every) : undefined;
  }

  /** Yields to the others, or stops to, as the media asks for. */
  #weigh(): void {
    if (this.#weighing) return;
    this.#weighing = true;
    this.#weighNow()
      .catch((error: unknown) => this.#failed(error, 'the origin claim could not be changed; trying on'))
      .finally(() => {
        this.#weighing = false;
      });
  }

  async #weighNow(): Promise<void> {
    const { flow, silence, streamMap, timing, failback, stream, log } = this.#options;
    const measured = await flow.measure();
    const mine = this.#claim;
    if (mine === undefined || this.#taking) return;
    const yields = shouldYield(this.#claims, mine, measured, {
      ...timing,
      publisherSilence: silence,
      failback,
    });
    if (yields === (mine.yields === true) && !this.#unsure) return;
    this.#revision += 1;
    this.#unsure = true;
    const claim = { ...mine, yields, revision: this.#revision };
    const written = await streamMap.setYields(claim);
    this.#unsure = false;
    if (!written) {
      this.check();
      return;
    }
    this.#failing = false;
    if (this.#claim !== mine) return;
    this.#claim = claim;
    log.info(
      { stream, ...measured, yields },
      yields ? 'the publisher is silent: yielding' : 'yielding no more',
    );
    this.#judge(this.#claims);
    this.#tellOthers(claim);
  }

  /** The claim is gone though its holder lives: a table was restored, or the region took this node for dead. */
  #takeBack(): void {
    const { stream, log } = this.#options;
    log.warn({ stream }, 'the origin claim is gone; taking it again');
    this.take();
  }

  #tellOthers(claim: OriginClaim): void {
    tellRegions(this.#options, this.#claims, claim);
  }

  #release(claim: OriginClaim): void {
    const { streamMap, background } = this.#options;
    void background
      .run(`releasing the origin claim of ${claim.stream}`, () => streamMap.release(claim))
      .then(() => this.#tellOthers({ ...claim, releasedAt: Date.now() }));
  }

  /** Said once an outage. */
  #failed(error: unknown, what: string): void {
    if (this.#failing || this.#closed.signal.aborted) return;
    this.#failing = true;
    this.#options.log.warn({ err: error, stream: this.#options.stream }, what);
  }
}

/** What the map has where the claim goes. */
const itemOf = ({ origins }: StreamClaims, claim: OriginClaim): OriginClaim | undefined =>
  origins.find((other) => isSameItem(other, claim));

const withoutClaim = (claims: StreamClaims, claim: OriginClaim): StreamClaims => ({
  ...claims,
  origins: claims.origins.filter((other) => !isSameItem(other, claim)),
});

/** The claims with this one in its place. */
const withClaim = (claims: StreamClaims, claim: OriginClaim): StreamClaims => ({
  ...claims,
  origins: [...withoutClaim(claims, claim).origins, claim],
});

/** The claims with our own as we wrote it, but for its release, which is others' to write. */
function withOwnWord(claims: StreamClaims, mine: OriginClaim): StreamClaims {
  const read = itemOf(claims, mine);
  if (read === undefined || read.epoch !== mine.epoch || !isHeld(read)) return claims;
  return withClaim(claims, mine);
}

const conflict = (detail: string): Problem => new Problem(409, 'priority-conflict', detail);
