// Keeping a stream on a node that does not publish it: claim, leg, and another leg when that one ends.

import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { type CascadePlan, planCascade } from '#routing/cascade-plan.ts';
import {
  activeOrigin,
  isHeld,
  type OriginClaim,
  type RegionClaim,
  regionClaimOf,
  type StreamClaims,
  sameHolder,
} from '#routing/claims.ts';
import { type NodeClient, NodeUnreachable } from '#routing/node-client.ts';
import { type LegAnswer, type LegRequest, legAnswer } from '#routing/node-messages.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import { askParents } from '#routing/parent-walk.ts';
import { Problem, unavailable } from '#routing/problem.ts';
import type { RegionClient } from '#routing/region-client.ts';
import type { StreamMap } from '#routing/stream-map.ts';
import type { Timing } from '#routing/timing.ts';
import type { Background } from './background.ts';
import { replaceDeadOrigin } from './dead-origin.ts';
import { Leg, type LegOutcome } from './leg.ts';
import { lookEvery } from './looks.ts';
import { holds, type Peers } from './peers.ts';
import { notLive } from './source.ts';
import type { Stream } from './stream.ts';
import { ToldClaims } from './told-claims.ts';
import type { Workers } from './workers.ts';

/** What a node lends to each of its streams. */
export interface PullContext {
  streamMap: StreamMap;
  peers: Peers;
  nodes: NodeClient;
  regions: RegionClient;
  workers: Workers;
  background: Background;
  timing: Timing;
  log: Logger;
}

/** Why a pull ended. `replaced`: a publisher of the stream connected to this very node. */
export type PullEnd = 'stream-ended' | 'unused' | 'superseded' | 'replaced' | 'failed';

/** Attempts to get a first leg before the viewer is told to try again. */
const FIRST_ATTEMPTS = 4;
/** How often a node that lost its origin looks for the next one, in the time of an origin's own checks. */
const ORPHAN_LOOKS = 4;
/**
 * Between attempts, in ms, times a random factor so that a region's edges do not ask in step; `mostOfFull` where the
 * parents have no room, which comes with the legs that are being made.
 */
const BACKOFF = { first: 20, most: 1_000, mostOfFull: 200 };

type Crossing = { origin: OriginClaim; epoch: number };

/** Emits `end` once. */
export class Pull extends EventEmitter<{ end: [PullEnd] }> {
  readonly #stream: Stream;
  readonly #context: PullContext;
  readonly #stopped = new AbortController();
  readonly #told: ToldClaims;
  readonly #onUsage = () => this.#watchUsage();
  /** Settled by the next leg, or by learning that there is none to be had. */
  #ready = ignored(Promise.withResolvers<void>());
  #unusedTimer: NodeJS.Timeout | undefined;
  #claim: RegionClaim | undefined;
  #leg: Leg | undefined;
  /** The origin whose region is being asked for a leg, or gave the present one. */
  #asked: OriginClaim | undefined;
  /** The active origin as the last look at the map, or at what was told, found it. */
  #seen: OriginClaim | undefined;
  /** Settled by news that came after the last look at the map: neither a pause nor a request outlasts it. */
  #news = Promise.withResolvers<undefined>();
  /** True once the stream has been live here: from then on its loss is waited out for the publisher's grace. */
  #settled: boolean;
  /** True while nobody publishes the stream, as far as the last look at the map could tell. */
  #orphaned = false;
  #handedOver = false;
  #ended = false;

  /**
   * @param hint claims read a moment ago, so that the first plan costs no read.
   * @param settled true when this node's publisher just left: there are viewers or children to keep.
   */
  constructor(
    stream: Stream,
    context: PullContext,
    { hint, settled }: { hint?: StreamClaims; settled: boolean },
  ) {
    super();
    this.#stream = stream;
    this.#context = context;
    this.#settled = settled;
    this.#told = new ToldClaims(stream.self.region);
    stream.on('usage', this.#onUsage);
    this.#watchUsage();
    this.#run(hint).catch((error: unknown) => {
      if (this.#ended) return;
      const problem = error instanceof Problem;
      if (!problem) context.log.warn({ err: error, stream: stream.name }, 'a stream could not be pulled');
      this.#ready.reject(problem ? error : this.#noParent());
      this.close('failed');
    });
  }

  /**
   * Resolves when the stream is here: at once, or with the next leg.
   * @throws Problem 409 at once where the pull only waits for a publisher that left, for nobody knows how long; 503 when
   * no leg comes in the time that a call may take.
   */
  async nextLeg(): Promise<void> {
    if (this.#leg !== undefined) return;
    if (this.#orphaned) throw notLive(this.#stream.name);
    const over = new AbortController();
    const late = sleep(this.#context.timing.call, undefined, { signal: over.signal }).then(() => {
      throw this.#noParent();
    });
    await Promise.race([this.#ready.promise, late.catch(unlessAborted)]).finally(() => over.abort());
  }

  /** Told of an origin's claim: looks now rather than later, and believes it until the map shows it. */
  learn(told: OriginClaim): void {
    this.#told.learn(told);
    const { log } = this.#context;
    this.#look().catch((error: unknown) =>
      log.info({ err: error, stream: this.#stream.name }, 'the stream map could not be checked'),
    );
  }

  /** Leaves the origin that the stream comes from where another goes first. */
  async #look(): Promise<StreamClaims> {
    const claims = await this.#read();
    const active = activeOrigin(claims);
    const pulled = this.#leg?.origin ?? this.#asked;
    this.#seen = active;
    const isOther = active && pulled && !isSameOrigin(active, pulled);
    // The old origin may be cut off and still look well from here.
    if (isOther) this.#leg?.close('superseded');
    if (isOther || pulled === undefined) this.#news.resolve(undefined);
    return claims;
  }

  async #read(): Promise<StreamClaims> {
    const { streamMap } = this.#context;
    return this.#told.mergedWith(await streamMap.read(this.#stream.name, { consistent: true }));
  }

  /**
   * The node is to be emptied: the children look for another parent, and where this node is the secondary origin one of
   * them, or the next that joins, claims the role. Its leg takes ours' place; then this node pulls from there.
   */
  async handOver(): Promise<void> {
    // First: a child that looks before the release stands would be led here again.
    await this.#release();
    if (this.#ended) return;
    this.#handedOver = true;
    this.#stream.dismissChildren();
  }

  /** As {@link handOver}: a role that this node had to take since, once none of its own viewers needs it. */
  async handOverUnneeded(): Promise<void> {
    if (this.#claim !== undefined && !this.#stream.isWantedHere) await this.handOver();
  }

  /**
   * Whether this node crosses, until another does, by a role that it has handed over. Who asks it for a leg now was led here
   * by the old claim; fed, it would not look for another, and nobody would take the role.
   */
  get hasHandedOver(): boolean {
    return this.#handedOver && this.#claim === undefined && this.#leg?.role === 'secondary-origin';
  }

  close(end: PullEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#unusedTimer);
    this.#stream.off('usage', this.#onUsage);
    this.#stopped.abort();
    if (end === 'replaced') this.#ready.resolve();
    else this.#ready.reject(notLive(this.#stream.name));
    // At once: whoever joins now must not find a source that is on its way out.
    this.#leg?.close('closed');
    if (this.#leg) this.#stream.detach(this.#leg);
    void this.#release();
    this.emit('end', end);
  }

  async #run(hint: StreamClaims | undefined): Promise<void> {
    const { timing, log } = this.#context;
    const { name: stream } = this.#stream;
    let claims = hint;
    let failures = 0;
    let lostAt = performance.now();
    while (!this.#ended) {
      let step: 'attached' | 'lost' | 'retry';
      let refusal: Problem | undefined;
      this.#news = Promise.withResolvers();
      try {
        claims ??= await this.#read();
        step = await this.#step(claims);
      } catch (error) {
        if (this.#ended) return;
        if (!this.#settled && !isPassing(error)) throw error;
        refusal = error instanceof Problem ? error : undefined;
        log.info({ err: error, stream }, 'no leg yet; trying again');
        step = 'retry';
      }
      claims = undefined;
      if (this.#ended) return;
      if (step === 'attached') {
        lostAt = performance.now();
        failures = 0;
      } else if (step === 'lost') {
        if (!this.#settled) throw notLive(stream);
        this.#orphaned = true;
        this.#ready.reject(notLive(stream));
        this.#ready = ignored(Promise.withResolvers());
        const left = timing.publisherGrace - (performance.now() - lostAt);
        if (left <= 0) {
          this.close('stream-ended');
          return;
        }
        // Its publisher may come back anywhere, and only those who hold a claim are told.
        await this.#pause(Math.min(left, (timing.claimCheck / ORPHAN_LOOKS) * (0.75 + Math.random() / 2)));
      } else {
        failures += 1;
        const waited = performance.now() - lostAt;
        // Many came at once: those that were first will have room for children of their own in a moment.
        const isFull = refusal?.code === 'no-room';
        const isPatient = isFull && waited < timing.call;
        if (!this.#settled && failures >= FIRST_ATTEMPTS && !isPatient) {
          // The origin's region says that there is none: the claim outlived its node.
          throw refusal?.status === 410 ? notLive(stream) : this.#noParent();
        }
        if (waited >= timing.publisherGrace + timing.nodeDeadAfter) {
          this.close('stream-ended');
          return;
        }
        const most = isFull ? BACKOFF.mostOfFull : BACKOFF.most;
        await this.#pause(Math.min(most, BACKOFF.first * 2 ** failures) * (0.5 + Math.random()));
      }
    }
  }

  /** One look at the map and what follows from it; returns when a leg has come and gone, or none could be had. */
  async #step(claims: StreamClaims): Promise<'attached' | 'lost' | 'retry'> {
    const { self } = this.#stream;
    const { nodes, plan } = await this.#plan(claims);
    if (this.#ended) return 'lost';
    if (plan === undefined) return 'retry';
    if (plan.step === 'none') return 'lost';
    // The publisher of this node is the origin: it leaves, or is about to feed the stream itself.
    if (plan.step === 'self') return this.#settled ? 'lost' : 'retry';
    this.#orphaned = false;
    if (this.#settled && !this.#stream.isWantedHere && (plan.step === 'pull' || plan.step === 'claim')) {
      // Nobody watches here, and those below have a parent of their own to find.
      this.close('superseded');
      return 'lost';
    }
    if (plan.step === 'pull') {
      void this.#release();
      const parent = nodes.find((node) => sameHolder(node, plan.from));
      return parent ? this.#pullFrom(parent, plan.from.epoch, nodes) : 'retry';
    }
    if (plan.step === 'cross') {
      this.#claim = regionClaimOf(claims, self.region);
      return this.#cross(plan);
    }
    const claim = this.#newClaim(plan.origin, plan.seen);
    if (!(await this.#context.streamMap.claimRegion(claim, plan.seen))) return 'retry';
    this.#claim = claim;
    // Ended while the claim was being written: nobody else will release it.
    if (this.#ended) {
      void this.#release();
      return 'lost';
    }
    return this.#cross({ origin: plan.origin, epoch: claim.epoch });
  }

  /** The plan, and the nodes that it counted on. No plan: the claims have just changed. */
  async #plan(
    claims: StreamClaims,
    { exact = false } = {},
  ): Promise<{ plan: CascadePlan | undefined; nodes: readonly NodeRecord[] }> {
    const { self } = this.#stream;
    const { peers } = this.#context;
    const ownEpoch = this.#claim?.epoch ?? 0;
    const nodes = await peers.alive({ exact });
    const plan = planCascade({ claims, self, ownEpoch, alive: (holder) => holds(nodes, holder) });
    const doubted =
      plan.step === 'none' ? activeOrigin(claims) : plan.step === 'claim' ? plan.seen : undefined;
    // What this node has itself given up needs no probe.
    if (doubted?.region !== self.region || !isHeld(doubted) || sameHolder(doubted, self))
      return { plan, nodes };
    // Nobody's role is taken on the word of a list.
    if (!exact) return this.#plan(claims, { exact: true });
    // The registry says that its holder is dead. It may have been away itself, and the node well.
    const node = await peers.revived(doubted);
    if (node === undefined) {
      const replaced = 'priority' in doubted && (await replaceDeadOrigin(this.#context, claims, doubted));
      return { plan: replaced ? undefined : plan, nodes };
    }
    const more = [...nodes, node];
    return {
      plan: planCascade({ claims, self, ownEpoch, alive: (holder) => holds(more, holder) }),
      nodes: more,
    };
  }

  #noParent(): Problem {
    return unavailable('no-parent', `${this.#stream.name} cannot be had from its origin now`);
  }

  #newClaim(origin: OriginClaim, seen: RegionClaim | undefined): RegionClaim {
    const { name: stream, self } = this.#stream;
    const parent = { region: origin.region, nodeId: origin.nodeId, epoch: origin.epoch };
    return { stream, ...self, epoch: (seen?.epoch ?? 0) + 1, parent };
  }

  async #cross({ origin, epoch }: Crossing): Promise<'attached' | 'retry'> {
    this.#asked = origin;
    // What came since the map was read was news of this very origin.
    if (this.#seen && isSameOrigin(this.#seen, origin)) this.#news = Promise.withResolvers();
    const ask = (request: LegRequest) => this.#context.regions.askLeg(origin.region, request);
    try {
      return await this.#attach({ crossing: true, epoch, ask });
    } finally {
      this.#asked = undefined;
    }
  }

  async #pullFrom(
    parent: NodeRecord,
    epoch: number,
    nodes: readonly NodeRecord[],
  ): Promise<'attached' | 'retry'> {
    let asked = parent;
    const ask = (request: LegRequest) =>
      askParents(parent, nodes, (node) => {
        asked = node;
        return this.#askNode(node, request);
      });
    try {
      return await this.#attach({ crossing: false, epoch, ask }, () => this.#context.peers.probe(asked));
    } catch (error) {
      // Its heartbeat may be fresh and the node dead all the same: a probe decides, and the next plan knows.
      if (error instanceof NodeUnreachable) await this.#context.peers.probe(asked);
      throw error;
    }
  }

  #askNode(node: NodeRecord, request: LegRequest): Promise<LegAnswer> {
    const { nodes, timing } = this.#context;
    return nodes.callOrDoubt(
      node,
      { method: 'POST', path: '/v1/legs', body: request, answer: legAnswer, timeout: timing.call },
      timing.probe,
    );
  }

  /**
   * A secondary origin looks at its claim now and then, as an origin does: another may have taken the role while this one
   * was cut off, or somebody have released the claim.
   */
  #watchClaim(leg: Leg): () => void {
    const { timing, log } = this.#context;
    if (leg.role !== 'secondary-origin') return () => undefined;
    let failing = false;
    const check = async () => {
      const { plan } = await this.#plan(await this.#look());
      failing = false;
      // Who has given the role up, to drain, goes on until another has it.
      const lost = plan?.step === 'pull' || (plan?.step === 'claim' && this.#claim !== undefined);
      if (lost) leg.close('superseded');
    };
    return lookEvery(timing.claimCheck, check, (error) => {
      if (!failing)
        log.info({ err: error, stream: this.#stream.name }, 'the region claim could not be checked');
      failing = true;
    });
  }

  /** Makes a leg, feeds the stream from it, and returns when it has ended. */
  async #attach(
    how: { crossing: boolean; epoch: number; ask: (request: LegRequest) => Promise<LegAnswer> },
    onSilence?: () => Promise<unknown>,
  ): Promise<'attached' | 'retry'> {
    const { workers, timing, log } = this.#context;
    const stream = this.#stream;
    await stream.ready();
    if (this.#ended) return 'retry';
    const opening = Leg.open({ stream, workers, timing, ...how });
    const outcome = await (how.crossing ? this.#unlessNews(opening) : opening);
    if (outcome === undefined) {
      log.info({ stream: stream.name }, 'another origin goes first now; no longer asking the old one');
      return 'retry';
    }
    if ('refused' in outcome) {
      // The parent's region may know what has not come here yet.
      if (outcome.refused.result === 'stale' && outcome.refused.origin)
        this.#told.learn(outcome.refused.origin);
      log.info({ stream: stream.name, refused: outcome.refused }, 'a parent refused the leg');
      return 'retry';
    }
    const { leg } = outcome;
    if (this.#ended) {
      leg.close('closed');
      return 'retry';
    }
    this.#leg = leg;
    leg.on('word', () => stream.passOn());
    const over = leg.over();
    // Not awaited: a worker that hangs would keep the others' viewers from the next leg.
    stream.attach(leg).catch((error: unknown) => log.error({ err: error, stream: stream.name }, 'not shown'));
    this.#settled = true;
    this.#ready.resolve();
    log.info({ stream: stream.name, parent: leg.parent, role: leg.role }, 'pulling');
    const unwatch = this.#watchClaim(leg);
    const end = await over;
    unwatch();
    this.#leg = undefined;
    this.#ready = ignored(Promise.withResolvers());
    stream.detach(leg);
    log.info({ stream: stream.name, parent: leg.parent, end }, 'a leg ended');
    if (end === 'ended') this.close('stream-ended');
    if (end === 'silent') await onSilence?.();
    // The parent answers, but its media does not reach us: no reason to ask on without a pause.
    return end === 'silent' && !leg.heard ? 'retry' : 'attached';
  }

  /** Does not wait for an origin that goes first no more: it may be cut off. A leg that comes all the same is closed. */
  async #unlessNews(opening: Promise<LegOutcome>): Promise<LegOutcome | undefined> {
    const outcome = await Promise.race([opening, this.#news.promise]);
    if (outcome === undefined) {
      opening.then(
        (late) => 'leg' in late && late.leg.close('closed'),
        () => undefined,
      );
    }
    return outcome;
  }

  /** Gives up the region's claim where this node holds it. */
  async #release(): Promise<void> {
    const claim = this.#claim;
    if (claim === undefined) return;
    this.#claim = undefined;
    const { streamMap, background } = this.#context;
    await background.run(`releasing the region claim of ${claim.stream}`, () => streamMap.release(claim));
  }

  #watchUsage(): void {
    if (this.#stream.isWanted) {
      clearTimeout(this.#unusedTimer);
      this.#unusedTimer = undefined;
    } else {
      this.#unusedTimer ??= setTimeout(() => this.close('unused'), this.#context.timing.unusedStreamTimeout);
    }
  }

  /** Waits, but not past a notice or the end. */
  async #pause(ms: number): Promise<void> {
    const over = new AbortController();
    const signal = AbortSignal.any([this.#stopped.signal, over.signal]);
    await Promise.race([sleep(ms, undefined, { signal }).catch(() => undefined), this.#news.promise]);
    over.abort();
  }
}

const isSameOrigin = (
  one: Pick<OriginClaim, 'nodeId' | 'epoch'>,
  other: Pick<OriginClaim, 'nodeId' | 'epoch'>,
): boolean => one.nodeId === other.nodeId && one.epoch === other.epoch;

/**
 * Worth another try: the parent could not be reached, has no room, or knows less or more than we do (403: it has not
 * heard of this node yet; 408 and 429: API Gateway throttles), rather than that it said no.
 */
const isPassing = (error: unknown): boolean =>
  error instanceof Problem ? error.status >= 500 || PASSING.includes(error.status) : true;
const PASSING = [403, 408, 409, 410, 429];

/** Whoever waits hears of the failure; nobody has to wait. */
function ignored<T>(deferred: PromiseWithResolvers<T>): PromiseWithResolvers<T> {
  deferred.promise.catch(() => undefined);
  return deferred;
}

function unlessAborted(error: unknown): void {
  if (!(error instanceof Error && error.name === 'AbortError')) throw error;
}
