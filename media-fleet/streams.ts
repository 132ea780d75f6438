// The streams of this node: who publishes, who watches, who pulls, and what keeps each of them here.

import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { OriginClaim } from '#routing/claims.ts';
import type {
  LegAnswer,
  LegRequest,
  Notice,
  StreamReport,
  WhepRequest,
  WhipRequest,
} from '#routing/node-messages.ts';
import { Problem, unavailable } from '#routing/problem.ts';
import { ChildLeg } from './child-leg.ts';
import { OriginRole } from './origin-role.ts';
import { type Published, publish } from './publication.ts';
import { Pull, type PullContext, type PullEnd } from './pull.ts';
import { readOffer } from './sdp/offer.ts';
import { Session, type SessionEnd } from './session.ts';
import type { Self, Source } from './source.ts';
import { Stream } from './stream.ts';
import { nothingOffered, Viewer } from './viewer.ts';

/** Sessions that ended without their client's DELETE, remembered for as long as one may still come; ttl in ms. */
const JUST_ENDED = { max: 10_000, ttl: 30_000 };

export interface StreamsOptions extends PullContext {
  self: Self;
  /** Legs of one stream that this node feeds. */
  maxChildren: number;
}

/** A stream and what keeps it: it closes when the last of these is gone. */
interface Entry {
  readonly stream: Stream;
  /** The publisher whose media feeds the stream. */
  publisher: Session | undefined;
  pull: Pull | undefined;
  /** WHIP sessions of the stream, connected or still connecting. */
  readonly publishing: Set<Session>;
  /** Requests that are at work on the stream. */
  pending: number;
  /** Newest epoch with which each other region has asked for a leg. */
  readonly crossings: Map<string, number>;
}

export class Streams {
  readonly #options: StreamsOptions;
  readonly #log: Logger;
  readonly #entries = new Map<string, Promise<Entry>>();
  readonly #open = new Map<string, Entry>();
  readonly #sessions = new Map<string, Session>();
  readonly #legs = new Map<string, Promise<LegAnswer>>();
  readonly #justEnded = new LRUCache<string, true>(JUST_ENDED);
  readonly #roles = new WeakMap<Session, OriginRole>();
  #publishers = 0;
  #viewers = 0;

  constructor(options: StreamsOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  /** Sessions and legs now. */
  get load(): { publishers: number; viewers: number; legs: number } {
    const streams = [...this.#open.values()];
    const legs = streams.reduce(
      (sum, { stream }) => sum + stream.children.size + (stream.source?.parent ? 1 : 0),
      0,
    );
    return { publishers: this.#publishers, viewers: this.#viewers, legs };
  }

  get count(): number {
    return this.#open.size;
  }

  /** Opens a WHIP session; its stream is fed by it once its media connects and its claim stands. */
  async publish(request: WhipRequest): Promise<{ session: Session; answer: string }> {
    const offer = readOffer(request.offer);
    const { workers, timing } = this.#options;
    const entry = await this.#hold(request.stream);
    let session: Session | undefined;
    try {
      const transport = await workers.createSessionTransport(entry.stream.worker, entry.stream.hub);
      session = new Session({ transport, remote: offer, connectWithin: timing.connect });
      entry.publishing.add(session);
      const published = await publish(offer, transport, entry.stream.hub);
      this.#runPublisher(entry, session, published, request);
      return { session, answer: published.answer };
    } catch (error) {
      if (session) {
        entry.publishing.delete(session);
        session.close('node-closing');
      }
      throw error;
    } finally {
      this.#unhold(entry);
    }
  }

  /** Opens a WHEP session, pulling the stream first where it is not here. */
  async watch({
    stream: name,
    offer,
    claims,
    counterOffer,
  }: WhepRequest): Promise<{ session: Session; answer: string }> {
    // What is not even an offer must cost no leg.
    readOffer(offer);
    const entry = await this.#hold(name);
    try {
      if (entry.stream.source === undefined) {
        entry.pull ??= this.#pull(entry, { hint: claims, settled: false });
        await entry.pull.firstLeg();
      }
      const { viewer, answer } = counterOffer
        ? await entry.stream.addViewerByCounterOffer()
        : await entry.stream.addViewer(offer);
      this.#viewers += 1;
      this.#keepSession(viewer, () => {
        this.#viewers -= 1;
      });
      return { session: viewer, answer };
    } finally {
      this.#unhold(entry);
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

  /** @throws Problem 404 */
  session(id: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined)
      throw new Problem(404, 'unknown-session', 'no such session: it has ended, or never was');
    return session;
  }

  /**
   * Feeds a child. The same request again gets the same answer.
   * @throws Problem 410 when this node has not got the stream.
   */
  feed(request: LegRequest): Promise<LegAnswer> {
    const known = this.#legs.get(request.requestId);
    if (known) return known;
    const answer = this.#feed(request);
    this.#legs.set(request.requestId, answer);
    answer.then(
      (given) => given.result === 'accepted' || this.#legs.delete(request.requestId),
      () => this.#legs.delete(request.requestId),
    );
    return answer;
  }

  async #feed(request: LegRequest): Promise<LegAnswer> {
    const { self, maxChildren, workers, timing } = this.#options;
    const entry = await this.#entries.get(request.stream);
    // A secondary origin whose own leg is on its way makes its children wait rather than go.
    if (entry?.stream.source === undefined) await entry?.pull?.firstLeg().catch(() => undefined);
    if (entry?.stream.source === undefined) {
      throw new Problem(410, 'stream-not-here', `node ${self.nodeId} does not have ${request.stream}`);
    }
    const { stream, crossings } = entry;
    if (request.nodeId === self.nodeId || stream.source?.path.includes(request.nodeId)) {
      return { v: 1, result: 'stale', reason: 'the child is above this node: the leg would close a loop' };
    }
    const crossing = request.region !== self.region;
    if (crossing) {
      const newest = crossings.get(request.region) ?? 0;
      if (request.epoch < newest) {
        return {
          v: 1,
          result: 'stale',
          reason: `region ${request.region} has asked with epoch ${newest} since`,
        };
      }
      crossings.set(request.region, request.epoch);
    }
    // One leg per child, and one into another region: the newer replaces the older.
    const replaced = () =>
      [...stream.children.values()].filter(({ child }) =>
        crossing ? child.region === request.region : child.nodeId === request.nodeId,
      );
    if (stream.children.size - replaced().length >= maxChildren) {
      const nodeIds = [...stream.children.values()]
        .filter(({ child }) => child.region === self.region && child.nodeId !== request.nodeId)
        .map(({ child }) => child.nodeId);
      if (nodeIds.length > 0) return { v: 1, result: 'elsewhere', nodeIds };
      throw unavailable('no-room', `node ${self.nodeId} feeds ${maxChildren} legs of ${stream.name} already`);
    }
    const { source } = stream;
    const leg = await ChildLeg.open({ stream, request, workers, timing });
    if (stream.closed || stream.source !== source) {
      leg.close();
      return { v: 1, result: 'stale', reason: 'the stream’s source changed while the leg was being made' };
    }
    for (const old of replaced()) old.close();
    leg.once('close', () => this.#legs.delete(request.requestId));
    stream.addChild(leg);
    return leg.answer;
  }

  /** Something about a stream changed elsewhere. */
  notice({ stream, epoch }: Notice): void {
    const entry = this.#open.get(stream);
    this.#log.debug({ stream, epoch }, 'told of a new origin');
    entry?.pull?.check();
    for (const session of entry?.publishing ?? []) this.#roles.get(session)?.check();
  }

  async reports(name?: string): Promise<StreamReport[]> {
    const entries = [...this.#open.values()].filter(
      ({ stream }) => name === undefined || stream.name === name,
    );
    return Promise.all(entries.filter(({ stream }) => stream.source).map(({ stream }) => stream.report()));
  }

  /** Ends every stream and session. */
  close(): void {
    for (const entry of this.#open.values()) {
      for (const session of entry.publishing) session.close('node-closing');
      entry.pull?.close('superseded');
      entry.stream.close('node-closing');
    }
  }

  #runPublisher(entry: Entry, session: Session, { producers }: Published, request: WhipRequest): void {
    const { self, streamMap, regions, background, timing, log } = this.#options;
    const { stream } = entry;
    this.#publishers += 1;
    this.#keepSession(session, () => {
      this.#publishers -= 1;
    });
    const role = new OriginRole({
      stream: stream.name,
      self,
      priority: request.priority,
      tokenId: request.tokenId,
      viewing: request.viewing,
      streamMap,
      regions,
      background,
      timing,
      log,
    });
    this.#roles.set(session, role);
    let source: Source | undefined;

    role.on('active', (claim) => {
      source = publisherSource(producers, claim);
      const previous = entry.publisher;
      entry.publisher = session;
      entry.pull?.close('replaced');
      log.info({ stream: stream.name, epoch: claim.epoch }, 'publishing');
      stream
        .attach(source)
        .catch((error: unknown) => log.error({ err: error, stream: stream.name }, 'not shown'));
      if (previous && previous !== session) previous.close('superseded');
    });
    role.on('standby', () => {
      if (source) stream.detach(source);
      if (entry.publisher === session) this.#letGo(entry);
    });
    role.on('lost', () => session.close('superseded'));

    session.once('connected', () => {
      role.take().catch((error: unknown) => {
        log.warn({ err: error, stream: stream.name }, 'the stream map did not take the origin claim');
        session.close('superseded');
      });
    });
    session.once('end', (end) => {
      log.info({ stream: stream.name, end }, 'a publisher left');
      role.close();
      entry.publishing.delete(session);
      if (source) stream.detach(source);
      if (entry.publisher === session) this.#letGo(entry);
      else this.#closeIfUnneeded(entry);
    });
  }

  /** The stream's publisher is gone: keep what hangs on the stream for the grace, or close it at once. */
  #letGo(entry: Entry): void {
    entry.publisher = undefined;
    if (!entry.stream.closed && (entry.stream.viewers > 0 || entry.stream.children.size > 0)) {
      entry.pull = this.#pull(entry, { settled: true });
    } else {
      this.#closeIfUnneeded(entry);
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
    if (entry.publisher || entry.pull || entry.publishing.size > 0 || entry.pending > 0) return;
    entry.stream.close(why === 'superseded' ? 'superseded' : 'stream-ended');
  }

  /** The stream's entry, opened where it is not, and kept open until `#unhold`. */
  async #hold(name: string): Promise<Entry> {
    for (;;) {
      const entry = await this.#entry(name);
      if (entry.stream.closed) continue;
      entry.pending += 1;
      return entry;
    }
  }

  #unhold(entry: Entry): void {
    entry.pending -= 1;
    this.#closeIfUnneeded(entry);
  }

  #entry(name: string): Promise<Entry> {
    const known = this.#entries.get(name);
    if (known) return known;
    const { self, workers, timing, log } = this.#options;
    const opening = Stream.open({ name, self, workers, timing, log }).then((stream): Entry => {
      const entry: Entry = {
        stream,
        publisher: undefined,
        pull: undefined,
        publishing: new Set(),
        pending: 0,
        crossings: new Map(),
      };
      this.#open.set(name, entry);
      stream.once('close', () => {
        entry.pull?.close('superseded');
        for (const session of entry.publishing) session.close('node-closing');
        if (this.#open.get(name) === entry) this.#open.delete(name);
        if (this.#entries.get(name) === opening) this.#entries.delete(name);
      });
      return entry;
    });
    this.#entries.set(name, opening);
    opening.catch(() => this.#entries.delete(name));
    return opening;
  }

  #keepSession(session: Session, onEnd: () => void): void {
    this.#sessions.set(session.id, session);
    const forget = (end?: SessionEnd) => {
      this.#sessions.delete(session.id);
      if (end !== 'deleted') this.#justEnded.set(session.id, true);
      onEnd();
    };
    if (session.ended) forget();
    else session.once('end', forget);
  }
}

const publisherSource = (
  producers: Published['producers'],
  { region, nodeId, epoch }: OriginClaim,
): Source => ({
  tracks: producers,
  path: [],
  origin: { region, nodeId, epoch },
  role: 'origin',
  parent: null,
  leg: async () => null,
});
