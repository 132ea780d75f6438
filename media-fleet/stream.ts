// A stream on this node: its hub, what feeds the hub, and all that it feeds.

import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Producer, Router } from 'mediasoup/types';
import type { Logger } from 'pino';
import type { LayerRequest, StreamReport } from '#routing/node-messages.ts';
import { Problem, unavailable } from '#routing/problem.ts';
import type { Timing } from '#routing/timing.ts';
import { BeatClock } from './beat-clock.ts';
import { Children } from './children.ts';
import { HUB_CODECS, layoutKey } from './codecs.ts';
import { StreamEvents } from './events/stream-events.ts';
import { LayerWatch } from './layers/layer-watch.ts';
import type { Outlet } from './outlet.ts';
import { type OutletHome, type OutletPlace, type OutletShare, Outlets } from './outlets.ts';
import { Pulse } from './pulse.ts';
import { writeAnswer } from './sdp/answer.ts';
import { offeredVideoMid, writeCounterOffer } from './sdp/counter-offer.ts';
import type { Offer } from './sdp/offer.ts';
import type { SessionEnd } from './session.ts';
import { type FedHub, notLive, type Self, type Source } from './source.ts';
import { planViewing, Viewer, type ViewerOptions, type ViewingPlan, viewedSections } from './viewer.ts';
import type { MediaWorker, Workers } from './workers.ts';

export interface StreamOptions {
  name: string;
  self: Self;
  /** Legs of the stream that this node feeds. */
  maxChildren: number;
  workers: Workers;
  timing: Timing;
  log: Logger;
}

/** Where a stream lives on a node. */
interface Home extends OutletHome {
  pulse: Pulse;
}

/** The outlet of viewers that took our own offer: the hub itself, whatever its tracks' numbers. */
const HUB_OUTLET = 'hub';

/** Milliseconds between two looks for events: what is not told to us may be as late for viewers. */
const LOOKS = 500;

/** Beats of a childless node in the time after which its parent gives it up: a few may be lost. */
const SIGNS_OF_LIFE = 6;

/** How long a player may take to answer and connect (the WHEP draft's default validity of a counter-offer), in ms. */
const COUNTER_OFFER_LIFE = 30_000;

/**
 * Emits `usage` when viewers come or go, here or below a child, and `close` once. Who feeds it decides when it ends.
 */
export class Stream extends EventEmitter<{ usage: []; close: [] }> implements FedHub {
  readonly name: string;
  readonly self: Self;
  readonly children: Children;
  readonly #options: StreamOptions;
  readonly #viewers = new Map<string, Viewer>();
  readonly #outlets: Outlets;
  readonly #events: StreamEvents;
  readonly #beats = new BeatClock(() => this.#beat());
  readonly #looks: NodeJS.Timeout;
  readonly #layerWatch: LayerWatch;
  #home: Home;
  #moving: Promise<void> = Promise.resolve();
  #source: Source | undefined;
  #generation = 0;
  /** What the last beat said, and to how many children. */
  #lastBeat = { viewers: 0, legs: 0, generation: 0 };
  #holds = 0;
  #closed = false;

  private constructor(options: StreamOptions, home: Home) {
    super();
    // Every viewer's wait and every pull listens to the same stream.
    this.setMaxListeners(0);
    this.#options = options;
    this.name = options.name;
    this.self = options.self;
    this.#home = home;
    const { maxChildren, workers, timing, log } = options;
    this.#events = new StreamEvents(log.child({ stream: options.name }));
    this.#outlets = new Outlets(home, workers);
    this.children = new Children({ stream: this, maxChildren, workers, timing });
    this.children.on('usage', () => this.#used());
    this.#layerWatch = new LayerWatch({
      hub: () => this.hub,
      tracks: () => this.#source?.tracks ?? [],
      viewers: () => [...this.#viewers.values()].map(({ layers }) => layers),
      log: options.log.child({ stream: options.name }),
    });
    this.#looks = setInterval(() => this.#lookForEvents(), LOOKS);
    this.#settle();
    this.#beat();
  }

  static async open(options: StreamOptions): Promise<Stream> {
    return new Stream(options, await openHome(options.workers));
  }

  get hub(): Router {
    return this.#home.hub;
  }

  get pulse(): Pulse {
    return this.#home.pulse;
  }

  get worker(): MediaWorker {
    return this.#home.worker;
  }

  /** Resolves when there is a hub that can be fed: not at once while the stream moves from a dead worker to another. */
  ready(): Promise<void> {
    return this.#moving;
  }

  get source(): Source | undefined {
    return this.#source;
  }

  /** Rises with every source: a child whose leg is of an earlier one has the wrong tracks. */
  get generation(): number {
    return this.#generation;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** Whether a request is at work on the stream. */
  get isHeld(): boolean {
    return this.#holds > 0;
  }

  /** Whether somebody is here for the stream: a viewer, or a request that is at work on it. */
  get isWantedHere(): boolean {
    return this.#viewers.size > 0 || this.isHeld;
  }

  /** Whether somebody here or, as far as the children told, below them is. */
  get isWanted(): boolean {
    return this.isWantedHere || this.children.viewers > 0;
  }

  /** Keeps the stream wanted until the function that it returns is called. */
  hold(): () => void {
    let held = true;
    this.#holds += 1;
    this.emit('usage');
    return () => {
      if (!held) return;
      held = false;
      this.#holds -= 1;
      this.emit('usage');
    };
  }

  /**
   * Feeds the hub from another source; viewers keep their sessions, children learn from the pulse to take new legs.
   * Resolves when all viewers have the new tracks: that is as slow as the slowest worker, and nothing of the stream need
   * wait for it.
   */
  async attach(source: Source): Promise<void> {
    this.#source = source;
    this.dismissChildren();
    const wait = source.flowsAt - performance.now();
    // To be fed is to ask for a key frame.
    if (wait > 0 && this.#viewers.size > 0) await sleep(wait);
    if (this.#source !== source) return;
    await this.#outlets.feed(source.tracks, {
      fed: (outlet) => this.#show(source, outlet),
      failed: (outlet, error) => this.#giveUp(outlet, error),
    });
  }

  /** Tells the children, by a new generation, to take new legs from wherever they find one. */
  dismissChildren(): void {
    this.#generation += 1;
    this.#beat();
    this.children.retire();
  }

  /** The source is gone. Viewers and children stay, and get nothing, until another is attached or the stream closes. */
  detach(source: Source): void {
    if (this.#source === source) this.#source = undefined;
  }

  /**
   * A viewer by its own offer: it is answered in the offer's payload types.
   * @param layer what it asked for of the video's layers.
   * @throws Problem 422 when the offer and the stream have nothing in common, 409 when it has no source.
   */
  addViewer(offer: Offer, layer?: LayerRequest): Promise<{ viewer: Viewer; answer: string }> {
    const { tracks } = this.#liveSource();
    const plan = planViewing(offer, tracks, this.hub, this.name);
    const media = this.#options.workers.pickForViewer(this.worker);
    return this.#join(
      {
        key: `${media.worker.pid} ${layoutKey(plan.layout)}`,
        layout: plan.layout,
        media,
        data: offer.data,
        videoMid: sentVideoMid(plan),
      },
      ({ router: { rtpCapabilities } }) => ({
        remote: offer,
        sections: viewedSections(plan, rtpCapabilities),
        offered: rtpCapabilities,
        layer,
        connectWithin: this.#options.timing.connect,
      }),
      async (viewer, outlet) => {
        const { transport } = viewer;
        await Promise.all([transport.connect({ dtlsParameters: offer.dtls }), viewer.show(outlet.tracks)]);
        return writeAnswer(offer, transport, plan.media);
      },
    );
  }

  /**
   * A viewer that asked for a counter-offer: with mediasoup's own numbers, RTX and header extensions it has a bandwidth
   * estimate, by which mediasoup chooses among simulcast layers. The hub serves it.
   * @param layer what it asked for of the video's layers.
   * @param data its own offer's section for data channels: then ours has one, too.
   * @throws Problem 409 when the stream has no source.
   */
  addViewerByCounterOffer(
    layer?: LayerRequest,
    data?: Offer['data'],
  ): Promise<{ viewer: Viewer; answer: string }> {
    const { tracks } = this.#liveSource();
    const offered = this.hub.rtpCapabilities;
    return this.#join(
      { key: HUB_OUTLET, layout: [], media: this.worker, data, videoMid: offeredVideoMid(tracks) },
      () => ({ remote: undefined, sections: [], offered, layer, connectWithin: COUNTER_OFFER_LIFE }),
      async (viewer, outlet) => {
        await viewer.show(outlet.tracks);
        return writeCounterOffer(viewer.transport, tracks, offered, this.name, data !== undefined);
      },
    );
  }

  async report(): Promise<StreamReport> {
    const source = this.#source;
    const tracks = await Promise.all((source?.tracks ?? []).map(reportTrack));
    return {
      stream: this.name,
      nodeId: this.self.nodeId,
      region: this.self.region,
      role: source?.role ?? 'edge',
      parent: source?.parent ?? null,
      hops: source?.path.length ?? 0,
      viewers: this.viewers,
      children: this.children.legs.map(({ child: { region, nodeId } }) => ({ region, nodeId })),
      leg: (await source?.leg()) ?? null,
      tracks: tracks.filter((track) => track !== undefined),
    };
  }

  /** Ends everything that the stream holds here. */
  close(why: SessionEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#beats.close();
    clearInterval(this.#looks);
    this.#layerWatch.close();
    this.#tell(why === 'stream-ended' ? 'ended' : 'superseded');
    for (const viewer of this.#viewers.values()) viewer.close(why);
    this.#source = undefined;
    // The last beat must leave before the pipes do: the channel to the worker keeps order.
    this.children.close();
    this.#outlets.close();
    this.hub.close();
    this.emit('close');
  }

  #settle(): void {
    this.hub.observer.once('close', () => {
      if (!this.#closed) this.#moving = this.#move();
    });
  }

  /**
   * The hub's worker died, and with it what fed the hub and whom it served. Viewers on other workers keep their
   * sessions: a new hub takes the old one's place, and whoever feeds the stream feeds that.
   */
  async #move(): Promise<void> {
    const { workers, log } = this.#options;
    this.children.close();
    try {
      const home = await openHome(workers);
      if (this.#closed) {
        home.hub.close();
        return;
      }
      this.#home = home;
      this.#outlets.move(home);
      this.#settle();
    } catch (error) {
      log.info({ err: error, stream: this.name }, 'no other worker can take the stream');
      this.close('failed');
    }
  }

  #liveSource(): Source {
    if (this.#source === undefined) throw notLive(this.name);
    return this.#source;
  }

  /** Opens a viewer's session at its outlet; whatever fails after that ends it. */
  async #join(
    place: OutletPlace & { data: Offer['data']; videoMid: string | undefined },
    terms: (
      outlet: Outlet,
    ) => Pick<ViewerOptions, 'remote' | 'sections' | 'offered' | 'layer' | 'connectWithin'>,
    begin: (viewer: Viewer, outlet: Outlet) => Promise<string>,
  ): Promise<{ viewer: Viewer; answer: string }> {
    const { workers, log } = this.#options;
    const share = await this.#outlets.acquire(place, this.#liveSource().tracks);
    const { outlet } = share;
    let viewer: Viewer | undefined;
    try {
      const { router } = outlet;
      const transport = await workers.createSessionTransport(place.media, router, place.data);
      const events = { stream: this.name, log: this.#events.log };
      viewer = new Viewer({ outlet, transport, events, log, ...terms(outlet) });
      this.#keep(viewer, share);
      if (place.data !== undefined) {
        viewer.events.openChannel(
          await this.#events.openChannel(router, transport, place.videoMid),
          transport,
        );
      }
      if (this.#closed) throw notLive(this.name);
      return { viewer, answer: await begin(viewer, outlet) };
    } catch (error) {
      if (viewer) viewer.close('failed');
      else share.release();
      // Closed under the viewer, whose requests to the worker then fail for no reason of their own.
      throw outlet.closed && !(error instanceof Problem) ? outletGone(this.name, error) : error;
    }
  }

  #keep(viewer: Viewer, share: OutletShare): void {
    this.#viewers.set(viewer.id, viewer);
    this.#used();
    viewer.once('connected', () => this.#used());
    viewer.once('end', () => {
      this.#viewers.delete(viewer.id);
      share.release();
      this.#used();
    });
  }

  /** Gives an outlet's viewers its new tracks. */
  async #show(source: Source, outlet: Outlet): Promise<void> {
    // It went while the outlet was fed: what it lacks now says nothing of the next.
    if (this.#source !== source) return;
    const { tracks } = source;
    const unserved = tracks.filter(({ kind }) => !outlet.tracks.some((track) => track.kind === kind));
    const viewers = this.#viewersOf(outlet);
    for (const viewer of viewers) {
      // Another codec than the viewer negotiated: only a new session can help it.
      if (unserved.some(({ kind }) => viewer.wants(kind))) viewer.close('codec-changed');
    }
    await Promise.all(viewers.map((viewer) => viewer.show(outlet.tracks)));
  }

  /** An outlet that cannot be fed would keep its viewers waiting: they come again, and open another. */
  #giveUp(outlet: Outlet, error: unknown): void {
    const viewers = this.#viewersOf(outlet);
    const { log } = this.#options;
    log.error({ err: error, stream: this.name, viewers: viewers.length }, 'viewers could not be fed');
    for (const viewer of viewers) viewer.close('failed');
  }

  #viewersOf(outlet: Outlet): Viewer[] {
    return [...this.#viewers.values()].filter((viewer) => viewer.outlet === outlet);
  }

  /** The parent says something new of the whole stream: our viewers hear of it now, and children before long. */
  passOn(): void {
    this.#lookForEvents();
    if (this.children.legs.length > 0) this.#beats.within(this.#options.timing.legPulse);
  }

  /**
   * The parent lets media flow when the first viewer is connected, and a new child must be heard of: that is told at
   * once. Other viewers who come and go wait for a beat that tells of all of them.
   */
  #used(): void {
    this.emit('usage');
    const viewers = this.#viewersBelow();
    const { legs } = this.children;
    if (viewers > 0 !== this.#lastBeat.viewers > 0 || legs.length !== this.#lastBeat.legs) this.#beat();
    else if (viewers !== this.#lastBeat.viewers) this.#beats.within(this.#options.timing.legPulse);
  }

  #beat(): void {
    if (this.#closed) return;
    const legs = this.children.legs.length;
    const viewers = this.#viewersBelow();
    // A stream without children and without a parent has nobody to beat to.
    if (legs > 0 || this.#source?.parent != null) this.#tell('alive');
    const before = this.#lastBeat;
    this.#lastBeat = { viewers, legs, generation: this.#generation };
    const isNews =
      viewers !== before.viewers || legs !== before.legs || this.#generation !== before.generation;
    const { legPulse, nodeDeadAfter } = this.#options.timing;
    // News is told twice, in case the packet is lost. A parent gives a child `nodeDeadAfter`, a child its parent much less.
    this.#beats.next(legs > 0 || isNews ? legPulse : Math.max(legPulse, nodeDeadAfter / SIGNS_OF_LIFE));
  }

  #tell(type: Parameters<Pulse['send']>[0]['type']): void {
    this.pulse.send({
      type,
      viewers: this.#viewersBelow(),
      generation: this.#generation,
      word: { isLive: this.#isLive(), total: this.#total() },
    });
  }

  /** Connected viewers here and below. */
  #viewersBelow(): number {
    // With every beat, so without a copy of them.
    let connected = 0;
    for (const viewer of this.#viewers.values()) if (viewer.connected) connected += 1;
    return connected + this.children.viewers;
  }

  /** Whether a publisher's media comes: it may be connected and send nothing, and a leg stays for a while without one. */
  #isLive(): boolean {
    return this.#source !== undefined && (this.#source.word?.isLive ?? true);
  }

  /** Connected viewers in all regions: the origin counts them, and tells those below. */
  #total(): number | undefined {
    return this.#source?.role === 'origin' ? this.#viewersBelow() : this.#source?.word?.total;
  }

  #lookForEvents(): void {
    this.#events.look({
      isLive: this.#isLive(),
      total: this.#total(),
      video: () =>
        [...this.#viewers.values()].some(({ events }) => events.wantsLayers)
          ? this.#source?.tracks.find(({ kind }) => kind === 'video')
          : undefined,
    });
  }
}

const outletGone = (stream: string, cause: unknown): Problem =>
  unavailable('outlet-gone', `what would have served a viewer of ${stream} here has ended`, 1, cause);

const sentVideoMid = ({ media }: ViewingPlan): string | undefined =>
  media.find(({ offered, direction }) => offered.kind === 'video' && direction === 'sendonly')?.offered.mid;

async function openHome(workers: Workers): Promise<Home> {
  const worker = workers.pick();
  const hub = await workers.createRouter(worker, HUB_CODECS);
  try {
    return { worker, hub, pulse: await Pulse.on(hub) };
  } catch (error) {
    hub.close();
    throw error;
  }
}

/** Undefined for a track that closed meanwhile. */
async function reportTrack(track: Producer): Promise<StreamReport['tracks'][number] | undefined> {
  const stats = await track.getStats().catch((error: unknown) => {
    if (track.closed) return undefined;
    throw error;
  });
  return (
    stats && {
      kind: track.kind,
      codec: track.rtpParameters.codecs[0]?.mimeType ?? 'unknown',
      layers: stats.map(({ rid, bitrate, packetCount }) => ({
        rid: rid ?? null,
        bitrate,
        packets: packetCount,
      })),
    }
  );
}
