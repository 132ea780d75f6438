// A stream on this node: its hub, what feeds the hub, and all that it feeds.

import { EventEmitter } from 'node:events';
import type { Producer, Router } from 'mediasoup/types';
import type { Logger } from 'pino';
import type { StreamReport } from '#routing/node-messages.ts';
import type { Timing } from '#routing/timing.ts';
import type { ChildLeg } from './child-leg.ts';
import { HUB_CODECS, type Layout, layoutKey } from './codecs.ts';
import { hubServes, Outlet } from './outlet.ts';
import { Pulse } from './pulse.ts';
import { writeAnswer } from './sdp/answer.ts';
import { writeCounterOffer } from './sdp/counter-offer.ts';
import { readOffer } from './sdp/offer.ts';
import type { SessionEnd } from './session.ts';
import { type FedHub, notLive, type Self, type Source } from './source.ts';
import { planViewing, Viewer, viewedSections } from './viewer.ts';
import type { MediaWorker, Workers } from './workers.ts';

export interface StreamOptions {
  name: string;
  self: Self;
  workers: Workers;
  timing: Timing;
  log: Logger;
}

/** The outlet of viewers that took our own offer: the hub itself, whatever its tracks' numbers. */
const HUB_OUTLET = 'hub';

/** How long a player may take to answer and connect (the WHEP draft's default validity of a counter-offer), in ms. */
const COUNTER_OFFER_LIFE = 30_000;

/** An outlet and how many viewers hold it, those included that are still joining. */
interface SharedOutlet {
  opening: Promise<Outlet>;
  users: number;
}

/**
 * Emits `usage` when viewers come or go, here or below a child, and `close` once. Who feeds it decides when it ends.
 */
export class Stream extends EventEmitter<{ usage: []; close: [] }> implements FedHub {
  readonly name: string;
  readonly self: Self;
  readonly hub: Router;
  readonly pulse: Pulse;
  readonly #workers: Workers;
  readonly #worker: MediaWorker;
  readonly #timing: Timing;
  readonly #log: Logger;
  readonly #viewers = new Map<string, Viewer>();
  readonly #children = new Map<string, ChildLeg>();
  readonly #outlets = new Map<string, SharedOutlet>();
  readonly #heartbeat: NodeJS.Timeout;
  #source: Source | undefined;
  #closed = false;

  private constructor(options: StreamOptions, worker: MediaWorker, hub: Router, pulse: Pulse) {
    super();
    // Every viewer's wait and every pull listens to the same stream.
    this.setMaxListeners(0);
    this.name = options.name;
    this.self = options.self;
    this.hub = hub;
    this.pulse = pulse;
    this.#workers = options.workers;
    this.#worker = worker;
    this.#timing = options.timing;
    this.#log = options.log;
    this.#heartbeat = setInterval(() => this.#beat(), options.timing.legPulse);
    hub.observer.once('close', () => this.close('node-closing'));
  }

  static async open(options: StreamOptions): Promise<Stream> {
    const worker = options.workers.pick();
    const hub = await options.workers.createRouter(worker, HUB_CODECS);
    try {
      return new Stream(options, worker, hub, await Pulse.on(hub));
    } catch (error) {
      hub.close();
      throw error;
    }
  }

  get source(): Source | undefined {
    return this.#source;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  get children(): ReadonlyMap<string, ChildLeg> {
    return this.#children;
  }

  /** Viewers here, those included that still connect, and, as far as the children told, below them. */
  get viewersInAll(): number {
    return this.#viewersBelow(this.viewers);
  }

  #viewersBelow(here: number): number {
    return [...this.#children.values()].reduce((sum, child) => sum + child.viewers, here);
  }

  get worker(): MediaWorker {
    return this.#worker;
  }

  /** Feeds the hub from another source; viewers keep their sessions, children are told to take new legs. */
  async attach(source: Source): Promise<void> {
    this.#source = source;
    this.#beat();
    await this.#showAll();
    if (this.#source === source) this.dismissChildren('superseded');
  }

  /** The source is gone. Viewers and children stay, and get nothing, until another is attached or the stream closes. */
  detach(source: Source): void {
    if (this.#source === source) this.#source = undefined;
  }

  /** Tells the children to look for a parent again, or that the stream is over, and lets their legs go. */
  dismissChildren(why: 'superseded' | 'ended'): void {
    if (this.#children.size === 0) return;
    this.pulse.send({ type: why, viewers: 0 });
    for (const child of this.#children.values()) child.retire();
  }

  /** @throws Problem 422 when the offer and the stream have nothing in common, 409 when it has no source. */
  async addViewer(offerText: string): Promise<{ viewer: Viewer; answer: string }> {
    const offer = readOffer(offerText);
    const source = this.#source;
    if (source === undefined) throw notLive(this.name);
    const plan = planViewing(offer, source.tracks, this.hub, this.name);
    const media = this.#workers.pickForViewer(this.#worker);
    const key = `${media.worker.pid} ${layoutKey(plan.layout)}`;
    const outlet = await this.#acquireOutlet(key, plan.layout, media);
    let viewer: Viewer | undefined;
    try {
      const transport = await this.#workers.createSessionTransport(media, outlet.router);
      const offered = outlet.router.rtpCapabilities;
      const sections = viewedSections(plan, offered);
      const connectWithin = this.#timing.connect;
      viewer = new Viewer({
        outlet: key,
        transport,
        remote: offer,
        sections,
        offered,
        connectWithin,
        log: this.#log,
      });
      this.#keep(viewer, key);
      if (this.#closed) throw notLive(this.name);
      await Promise.all([transport.connect({ dtlsParameters: offer.dtls }), viewer.show(outlet.tracks)]);
      return { viewer, answer: writeAnswer(offer, transport, plan.media) };
    } catch (error) {
      if (viewer) viewer.close('node-closing');
      else this.#releaseOutlet(key);
      throw error;
    }
  }

  /**
   * A viewer that asked for a counter-offer: with mediasoup's own numbers, RTX and header extensions it has a bandwidth
   * estimate, by which mediasoup chooses among simulcast layers. The hub serves it.
   * @throws Problem 409 when the stream has no source.
   */
  async addViewerByCounterOffer(): Promise<{ viewer: Viewer; answer: string }> {
    const source = this.#source;
    if (source === undefined) throw notLive(this.name);
    const outlet = await this.#acquireOutlet(HUB_OUTLET, [], this.#worker);
    let viewer: Viewer | undefined;
    try {
      const transport = await this.#workers.createSessionTransport(this.#worker, outlet.router);
      const offered = this.hub.rtpCapabilities;
      const connectWithin = COUNTER_OFFER_LIFE;
      viewer = new Viewer({
        outlet: HUB_OUTLET,
        transport,
        remote: undefined,
        sections: [],
        offered,
        connectWithin,
        log: this.#log,
      });
      this.#keep(viewer, HUB_OUTLET);
      if (this.#closed) throw notLive(this.name);
      await viewer.show(outlet.tracks);
      return { viewer, answer: writeCounterOffer(transport, source.tracks, offered, this.name) };
    } catch (error) {
      if (viewer) viewer.close('node-closing');
      else this.#releaseOutlet(HUB_OUTLET);
      throw error;
    }
  }

  /** Takes a child; it is forgotten when its leg closes. */
  addChild(leg: ChildLeg): void {
    this.#children.set(leg.requestId, leg);
    leg.on('usage', () => this.#used());
    leg.once('close', () => {
      this.#children.delete(leg.requestId);
      this.#used();
    });
    this.#used();
  }

  async report(): Promise<StreamReport> {
    const source = this.#source;
    const tracks = await Promise.all((source?.tracks ?? []).filter(({ closed }) => !closed).map(reportTrack));
    return {
      stream: this.name,
      nodeId: this.self.nodeId,
      region: this.self.region,
      role: source?.role ?? 'edge',
      parent: source?.parent ?? null,
      hops: source?.path.length ?? 0,
      viewers: this.viewers,
      children: [...this.#children.values()].map(({ child }) => ({
        region: child.region,
        nodeId: child.nodeId,
      })),
      leg: (await source?.leg()) ?? null,
      tracks,
    };
  }

  /** Ends everything that the stream holds here. */
  close(why: SessionEnd): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#heartbeat);
    this.dismissChildren(why === 'stream-ended' ? 'ended' : 'superseded');
    this.pulse.send({ type: 'bye', viewers: 0 });
    for (const viewer of this.#viewers.values()) viewer.close(why);
    this.#source = undefined;
    // The last beat must leave before the pipes do: the channel to the worker keeps order.
    for (const child of this.#children.values()) child.close();
    for (const { opening } of this.#outlets.values())
      opening.then((outlet) => outlet.close()).catch(() => undefined);
    this.#outlets.clear();
    this.hub.close();
    this.emit('close');
  }

  async #showAll(): Promise<void> {
    const tracks = this.#source?.tracks ?? [];
    await Promise.all(
      [...this.#outlets].map(async ([key, { opening }]) => {
        // One that could not be opened has told those who wait for it.
        const outlet = await opening.catch(() => undefined);
        if (outlet === undefined) return;
        await outlet.feed(tracks);
        const unserved = tracks.filter(({ kind }) => !outlet.tracks.some((track) => track.kind === kind));
        const viewers = [...this.#viewers.values()].filter((viewer) => viewer.outlet === key);
        for (const viewer of viewers) {
          // Another codec than the viewer negotiated: only a new session can help it.
          if (unserved.some(({ kind }) => viewer.wants(kind))) viewer.close('codec-changed');
        }
        await Promise.all(viewers.map((viewer) => viewer.show(outlet.tracks)));
      }),
    );
  }

  #keep(viewer: Viewer, key: string): void {
    this.#viewers.set(viewer.id, viewer);
    this.#used();
    viewer.once('connected', () => this.#used());
    viewer.once('end', () => {
      this.#viewers.delete(viewer.id);
      this.#releaseOutlet(key);
      this.#used();
    });
  }

  #acquireOutlet(key: string, layout: Layout, media: MediaWorker): Promise<Outlet> {
    const known = this.#outlets.get(key);
    if (known) {
      known.users += 1;
      return known.opening;
    }
    const shared: SharedOutlet = { opening: this.#openOutlet(layout, media), users: 1 };
    this.#outlets.set(key, shared);
    // Who asked hears of the failure; the next viewer tries anew.
    shared.opening.catch(() => this.#outlets.delete(key));
    return shared.opening;
  }

  #releaseOutlet(key: string): void {
    const shared = this.#outlets.get(key);
    if (shared === undefined) return;
    shared.users -= 1;
    if (shared.users > 0) return;
    this.#outlets.delete(key);
    shared.opening.then((outlet) => outlet.close()).catch(() => undefined);
  }

  async #openOutlet(layout: Layout, media: MediaWorker): Promise<Outlet> {
    const tracks = this.#source?.tracks ?? [];
    const outlet =
      media === this.#worker && hubServes(layout, tracks)
        ? Outlet.onHub(this.hub, media)
        : await Outlet.forLayout(this.hub, layout, this.#workers, media);
    try {
      await outlet.feed(tracks);
      return outlet;
    } catch (error) {
      outlet.close();
      throw error;
    }
  }

  /** Told at once: the parent lets video flow when the first viewer is connected. */
  #used(): void {
    this.emit('usage');
    this.#beat();
  }

  #beat(): void {
    // A stream without children and without a parent has nobody to beat to.
    if (this.#children.size === 0 && this.#source?.parent == null) return;
    const connected = [...this.#viewers.values()].filter((viewer) => viewer.connected).length;
    this.pulse.send({ type: 'alive', viewers: this.#viewersBelow(connected) });
  }
}

async function reportTrack(track: Producer): Promise<StreamReport['tracks'][number]> {
  const stats = await track.getStats();
  return {
    kind: track.kind,
    codec: track.rtpParameters.codecs[0]?.mimeType ?? 'unknown',
    layers: stats.map(({ rid, bitrate, packetCount }) => ({
      rid: rid ?? null,
      bitrate,
      packets: packetCount,
    })),
  };
}
