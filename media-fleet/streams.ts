// The streams of this node: who publishes, who watches, who pulls, and what keeps each of them here.

import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { type Claim, isHeld, type OriginClaim, sameHolder } from '#routing/claims.ts';
import type {
  LegAnswer,
  LegRequest,
  Notice,
  StreamReport,
  WhepRequest,
  WhipRequest,
} from '#routing/node-messages.ts';
import { Problem, unavailable } from '#routing/problem.ts';
import { notHere } from './children.ts';
import { Publisher } from './publisher.ts';
import { Pull, type PullContext, type PullEnd } from './pull.ts';
import { readOffer } from './sdp/offer.ts';
import type { Session, SessionEnd } from './session.ts';
import type { Self, Source } from './source.ts';
import { Stream } from './stream.ts';
import { nothingOffered, Viewer } from './viewer.ts';

/** Sessions that ended without their client's DELETE, remembered for as long as one may still come; ttl in ms. */
const JUST_ENDED = { max: 10_000, ttl: 30_000 };

export interface StreamsOptions extends PullContext {
  self: Self;
  /** Legs of one stream that this node feeds. */
  maxChildren: number;
  /** Whether a publisher takes its stream back from one of a lower priority. */
  failback: boolean;
}

/** A stream and what keeps it: it closes when the last of these is gone. */
interface Entry {
  readonly stream: Stream;
  /** The publisher whose media feeds the stream. */
  active: { publisher: Publisher; source: Source } | undefined;
  pull: Pull | undefined;
  /** All publishers of the stream, standbys and those included that are still connecting. */
  readonly publishers: Set<Publisher>;
}

export class Streams {
  readonly #options: StreamsOptions;
  readonly #log: Logger;
  readonly #entries = new Map<string, Promise<Entry>>();
  readonly #open = new Map<string, Entry>();
  readonly #sessions = new Map<string, Session>();
  readonly #justEnded = new LRUCache<string, SessionEnd>(JUST_ENDED);
  readonly #counts = { publishers: 0, viewers: 0, connecting: 0 };

  constructor(options: StreamsOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /** Sessions and legs now, requests that are at work included: what is asked for counts before it is there. */
  get load(): { publishers: number; viewers: number; legs: number } {
    const legs = [...this.#open.values()].reduce(
      (sum, { stream }) => sum + stream.children.legs.length + (stream.source?.parent ? 1 : 0),
      0,
    );
    const { publishers, viewers } = this.#counts;
    return { publishers, viewers, legs };
  }

  /** Of the viewers, those that have not connected yet. */
  get connecting(): number {
    return this.#counts.connecting;
  }

  /** Nobody publishes or watches here, and no child is fed; a leg that only waits for viewers is nobody's loss. */
  get isEmpty(): boolean {
    const { publishers, viewers } = this.#counts;
    return (
      publishers + viewers === 0 &&
      [...this.#open.values()].every(({ stream }) => stream.children.legs.length === 0)
    );
  }

  get count(): number {
    return this.#open.size;
  }

  /** Opens a WHIP session; its stream is fed by it once its media connects and its claim stands. */
  async publish(request: WhipRequest): Promise<{ session: Session; answer: string }> {
    const leave = this.#enter('publishers');
    try {
      const { entry, release } = await this.#hold(request.stream);
      try {
        const { stream } = entry;
        const { publisher, answer } = await Publisher.open({ ...this.#options, request, stream });
        this.#keepPublisher(entry, publisher);
        this.#keepSession(publisher.session, leave);
        return { session: publisher.session, answer };
      } finally {
        release();
      }
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Opens a WHEP session, pulling the stream first where it is not here. */
  async watch(request: WhepRequest): Promise<{ session: Session; answer: string }> {
    // What is not even an offer must cost no leg.
    const offer = readOffer(request.offer, { data: true });
    const leave = this.#enter('viewers');
    const connected = this.#enter('connecting');
    try {
      const { entry, release } = await this.#hold(request.stream);
      try {
        const { stream } = entry;
        if (stream.source === undefined) {
          entry.pull ??= this.#pull(entry, { hint: request.claims, settled: false });
          await entry.pull.nextLeg();
        }
        const { viewer, answer } = request.counterOffer
          ? await stream.addViewerByCounterOffer(request.layer, offer.data)
          : await stream.addViewer(offer, request.layer);
        viewer.once('connected', connected);
        this.#keepSession(viewer, () => {
          connected();
          leave();
        });
        return { session: viewer, answer };
      } finally {
        release();
      }
    } catch (error) {
      connected();
      leave();
      throw error;
    }
  }

  /**
   * Ends a session for its client. One that ended by itself a moment ago counts as ended by this: clients close their
   * connection, which ends it, and send DELETE after.
   * @throws Problem 404
   */
  endSession(id: string): void {
    if (!this.#justEnded.delete(id)) this.session(id).close('deleted');
  }

  /**
   * A player's answer to the counter-offer that it got.
   * @throws Problem 404 when the session has ended, 409 when it has no counter-offer to answer.
   */
  async answer(id: string, text: string): Promise<void> {
    const session = this.session(id);
    if (!(session instanceof Viewer)) throw nothingOffered();
    await session.answer(text);
  }

  /** @throws Problem 404, which for a while tells a publisher that another one took its place. */
  session(id: string): Session {
    const session = this.#sessions.get(id);
    if (session !== undefined) return session;
    if (this.#justEnded.get(id) === 'superseded') {
      const detail = 'this session was ended because another publisher took the stream over';
      throw new Problem(404, 'session-superseded', detail);
    }
    throw unknownSession();
  }

  /** @throws Problem 404 when it has ended, or is no viewer's. */
  viewer(id: string): Viewer {
    const session = this.session(id);
    if (!(session instanceof Viewer)) throw unknownSession();
    return session;
  }

  /** Who watches here now. */
  get viewers(): Viewer[] {
    return [...this.#sessions.values()].filter((session) => session instanceof Viewer);
  }

  /**
   * Feeds a child.
   * @throws Problem 410 when this node has not got the stream, 503 when it has handed its role in it over.
   */
  async feed(request: LegRequest): Promise<LegAnswer> {
    const entry = await this.#entries.get(request.stream);
    // A secondary origin whose own leg is on its way makes its children wait rather than go.
    if (entry?.stream.source === undefined) await entry?.pull?.nextLeg().catch(() => undefined);
    if (entry === undefined || (entry.publishers.size === 0 && entry.pull === undefined)) {
      this.#disown(request.stream);
      throw notHere({ self: this.#options.self, name: request.stream });
    }
    if (entry.pull?.hasHandedOver) {
      const detail = `node ${this.#options.self.nodeId} is to end, and no secondary origin of ${request.stream} any more; look again`;
      throw unavailable('handed-over', detail);
    }
    return entry.stream.children.feed(request);
  }

  /**
   * A child was sent here for a stream that this node has not got: a claim of ours that was never released sent it. The
   * region could not watch, or the stream never end, for as long as this node lives.
   */
  #disown(name: string): void {
    const { self, streamMap, background } = this.#options;
    void background.run(`releasing what this node does not hold of ${name}`, async () => {
      const { origins, regions } = await streamMap.read(name, { consistent: true });
      // It may have come meanwhile.
      if (this.#entries.has(name)) return;
      const mine = (claim: Claim) => isHeld(claim) && sameHolder(claim, self);
      for (const claim of [...origins, ...regions].filter(mine)) await streamMap.release(claim);
    });
  }

  /** An origin's claim of a stream says something new. */
  notice({ stream, claim }: Notice): void {
    const entry = this.#open.get(stream);
    this.#log.debug({ stream, claim }, 'told of an origin');
    entry?.pull?.learn(claim);
    for (const publisher of entry?.publishers ?? []) publisher.learn(claim);
  }

  /**
   * The publisher with this claim goes on with another priority.
   * @throws Problem 404 when it is not here, 409 when another publisher of the stream has that priority.
   */
  async setPriority(claim: OriginClaim, priority: number): Promise<void> {
    const publishers = [...(this.#open.get(claim.stream)?.publishers ?? [])];
    const publisher = publishers.find((candidate) => candidate.holds(claim));
    if (publisher === undefined) {
      throw new Problem(404, 'unknown-origin', `this origin of ${claim.stream} has ended; look again`);
    }
    await publisher.setPriority(priority);
  }

  /** Gives the roles that it has now to others, as far as others can take them; sessions stay. */
  handOver(): void {
    for (const { pull } of this.#open.values()) void pull?.handOver();
  }

  /** Gives up those that it had to take since, when none of its viewers needs them any more. */
  handOverUnneeded(): void {
    for (const { pull } of this.#open.values()) void pull?.handOverUnneeded();
  }

  /** What this node has of one stream, or of all; a stream that waits for its publisher included. */
  reports(name?: string): Promise<StreamReport[]> {
    const entries = [...this.#open.values()].filter(
      ({ stream }) => name === undefined || stream.name === name,
    );
    const shown = entries.filter(({ stream }) => stream.source || stream.viewers > 0);
    return Promise.all(shown.map(({ stream }) => stream.report()));
  }

  /** Ends every stream and session. */
  close(): void {
    for (const entry of this.#open.values()) {
      for (const { session } of entry.publishers) session.close('node-closing');
      entry.pull?.close('superseded');
      entry.stream.close('node-closing');
    }
  }

  #keepPublisher(entry: Entry, publisher: Publisher): void {
    if (publisher.session.ended) return;
    const { stream } = entry;
    const log = this.#log.child({ stream: stream.name });
    entry.publishers.add(publisher);
    publisher.on('active', (source) => {
      const previous = entry.active?.publisher;
      entry.active = { publisher, source };
      entry.pull?.close('replaced');
      log.info({ epoch: source.origin.epoch }, 'publishing');
      stream.attach(source).catch((error: unknown) => log.error({ err: error }, 'not shown'));
      if (previous === undefined || previous === publisher) return;
      previous.standDown();
      // The same encoder come back. One of a lower priority stays, as a standby.
      if (previous.priority === publisher.priority) previous.session.close('superseded');
    });
    publisher.on('standby', () => {
      this.#withdraw(entry, publisher);
      // It may send on all the same: those below must look for the one that goes first now.
      stream.dismissChildren();
    });
    publisher.once('end', (end) => {
      log.info({ end }, 'a publisher left');
      entry.publishers.delete(publisher);
      this.#withdraw(entry, publisher);
      this.#closeIfUnneeded(entry);
    });
  }

  /** The publisher feeds the stream no more: what hangs on the stream is kept for the grace. */
  #withdraw(entry: Entry, publisher: Publisher): void {
    if (entry.active?.publisher !== publisher) return;
    const { stream } = entry;
    stream.detach(entry.active.source);
    entry.active = undefined;
    if (!stream.closed && (stream.isWanted || stream.children.legs.length > 0)) {
      entry.pull = this.#pull(entry, { settled: true });
    }
  }

  #pull(entry: Entry, options: ConstructorParameters<typeof Pull>[2]): Pull {
    const pull = new Pull(entry.stream, this.#options, options);
    pull.once('end', (end) => {
      if (entry.pull === pull) entry.pull = undefined;
      if (end !== 'replaced') this.#closeIfUnneeded(entry, end);
    });
    return pull;
  }

  #closeIfUnneeded(entry: Entry, why: PullEnd = 'stream-ended'): void {
    const { stream, publishers, pull } = entry;
    if (publishers.size > 0 && !entry.active && !stream.closed) {
      // Standbys stay here, without a source; those below must look for another, be it for a viewer who comes only now.
      if (why !== 'stream-ended') stream.dismissChildren();
      // And it is not over for who watches here: a standby of this node may be the next.
      else if (stream.isWanted) entry.pull ??= this.#pull(entry, { settled: true });
    }
    if (pull || publishers.size > 0 || stream.isHeld) return;
    // Its children have to look elsewhere, except when it is over for all.
    stream.close(why === 'stream-ended' ? 'stream-ended' : 'superseded');
  }

  /** The stream's entry, opened where it is not, and kept open until `release`. */
  async #hold(name: string): Promise<{ entry: Entry; release: () => void }> {
    for (;;) {
      const entry = await this.#entry(name);
      if (entry.stream.closed) continue;
      const letGo = entry.stream.hold();
      return {
        entry,
        release: () => {
          letGo();
          this.#closeIfUnneeded(entry);
        },
      };
    }
  }

  #entry(name: string): Promise<Entry> {
    const known = this.#entries.get(name);
    if (known) return known;
    const opening = Stream.open({ name, ...this.#options }).then((stream): Entry => {
      const entry: Entry = { stream, active: undefined, pull: undefined, publishers: new Set() };
      this.#open.set(name, entry);
      stream.once('close', () => {
        entry.pull?.close('superseded');
        for (const { session } of entry.publishers) session.close('failed');
        if (this.#open.get(name) === entry) this.#open.delete(name);
        if (this.#entries.get(name) === opening) this.#entries.delete(name);
      });
      return entry;
    });
    this.#entries.set(name, opening);
    opening.catch(() => this.#entries.delete(name));
    return opening;
  }

  /** Counts one, until the function that it returns is called. */
  #enter(what: 'publishers' | 'viewers' | 'connecting'): () => void {
    let counted = true;
    this.#counts[what] += 1;
    return () => {
      if (counted) this.#counts[what] -= 1;
      counted = false;
    };
  }

  #keepSession(session: Session, onEnd: () => void): void {
    this.#sessions.set(session.id, session);
    const forget = (end: SessionEnd = 'failed') => {
      this.#sessions.delete(session.id);
      if (end !== 'deleted') this.#justEnded.set(session.id, end);
      onEnd();
    };
    if (session.ended) forget();
    else session.once('end', forget);
  }
}

const unknownSession = (): Problem =>
  new Problem(404, 'unknown-session', 'no such session: it has ended, or never was');
