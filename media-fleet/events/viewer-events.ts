// What one viewer hears of its stream: over its data channel, and by the subscriptions that it made.

import { randomUUID } from 'node:crypto';
import type { DataConsumer, WebRtcTransport } from 'mediasoup/types';
import { Problem } from '#routing/problem.ts';
import type { ViewerEvent, ViewerEventName } from '#routing/viewer-events.ts';
import type { EventLog, StreamEvent } from './event-log.ts';

/** Subscriptions of a session at once: a page needs one, and one more while it opens the next. */
const MAX_SUBSCRIPTIONS = 4;

export interface ViewerEventsOptions {
  stream: string;
  log: EventLog;
  /** The viewer's section of video, once it has one. */
  videoMid: () => string | undefined;
}

export class ViewerEvents {
  readonly #options: ViewerEventsOptions;
  readonly #subscriptions = new Map<string, ReadonlySet<ViewerEventName>>();
  #channel: DataConsumer | undefined;
  #reconnect: ViewerEvent | undefined;

  constructor(options: ViewerEventsOptions) {
    this.#options = options;
  }

  /** Whether it is worth looking at the layers for this viewer. */
  get wantsLayers(): boolean {
    return (
      this.#channel !== undefined || [...this.#subscriptions.values()].some((names) => names.has('layers'))
    );
  }

  /** Tells how things stand as soon as the channel, paused so far, can carry it; it goes with its transport. */
  openChannel(channel: DataConsumer, transport: WebRtcTransport): void {
    channel.observer.once('close', () => {
      this.#channel = undefined;
    });
    transport.on('sctpstatechange', (state) => {
      if (state !== 'connected' || channel.closed) return;
      // The worker takes things in their order: all that all are told from now on comes after how things stand now, once.
      // Where the resumption fails the channel went with its transport.
      channel.resume().catch(() => undefined);
      this.#channel = channel;
      for (const event of this.#since(undefined)) this.#send(event);
    });
  }

  /** One too many takes the place of the oldest: its player may never have heard of it. @returns the subscription's id. */
  subscribe(names: readonly ViewerEventName[]): string {
    const [oldest] = this.#subscriptions.keys();
    if (oldest !== undefined && this.#subscriptions.size >= MAX_SUBSCRIPTIONS)
      this.#subscriptions.delete(oldest);
    const id = randomUUID();
    this.#subscriptions.set(id, new Set(names));
    return id;
  }

  /** Viewers of the stream, in all regions, as they were last told. */
  get viewers(): number {
    return this.#options.log.viewers;
  }

  /**
   * What a subscription has not heard yet.
   * @param after the newest event that it has heard; undefined for none.
   * @throws Problem 404 when there is no such subscription.
   */
  since(id: string, after: number | undefined): ViewerEvent[] {
    const names = this.#subscriptions.get(id);
    if (names === undefined) throw unknownSubscription();
    return this.#since(after).filter(({ event }) => names.has(event));
  }

  /** @throws Problem 404 when there is no such subscription. */
  unsubscribe(id: string): void {
    if (!this.#subscriptions.delete(id)) throw unknownSubscription();
  }

  /** The session will end: its player is to open another. @param api the region's own API, an absolute URL. */
  reconnect(api: string): void {
    const { href: url } = new URL(`/whep/${encodeURIComponent(this.#options.stream)}`, api);
    this.#reconnect = { id: this.#options.log.nextId(), event: 'reconnect', data: { url } };
    this.#send(this.#reconnect);
  }

  #since(given: number | undefined): ViewerEvent[] {
    const { log, videoMid } = this.#options;
    const mid = videoMid();
    // Of a number that is not ours nothing follows: then it is how things stand that helps.
    const after = given !== undefined && log.hasGiven(given) ? given : undefined;
    const shared = log.since(after).flatMap((event) => forViewer(event, mid) ?? []);
    const own = this.#reconnect && this.#reconnect.id > (after ?? 0) ? [this.#reconnect] : [];
    return [...shared, ...own].sort((a, b) => a.id - b.id);
  }

  #send(event: ViewerEvent): void {
    // It may have closed meanwhile, or take nothing more: a player that does not read misses what is said.
    this.#channel?.send(messageOf(event)).catch(() => undefined);
  }
}

/** The event as this viewer gets it: layers under the name of its own section; none for who sees no video. */
const forViewer = (event: StreamEvent, mid: string | undefined): ViewerEvent | undefined =>
  mid === undefined && event.event === 'layers' ? undefined : underMid(event, mid ?? '');

/** As {@link forViewer}, for who sees video in the section of this name. */
export const underMid = (event: StreamEvent, mid: string): ViewerEvent =>
  event.event === 'layers' ? { ...event, data: { medias: { [mid]: event.data } } } : event;

/** A message on the data channel. */
export const messageOf = ({ event, data }: ViewerEvent): string => JSON.stringify({ event, data });

const unknownSubscription = (): Problem =>
  new Problem(404, 'unknown-subscription', 'no such subscription to events: it was deleted, or never was');
