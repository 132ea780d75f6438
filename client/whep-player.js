// A WHEP player: joins, shows the stream, and joins again until it is closed (draft-ietf-wish-whep).
// @ts-check

import { Connection, gathered } from './connection.js';
import { Refused, Unreachable } from './errors.js';
import { EventChannel, listen } from './event-channel.js';
import { isIceLite } from './fragment.js';
import { useIceServers } from './ice-servers.js';
import { Lifecycle } from './lifecycle.js';
import { reconnectUrl } from './reconnect-url.js';
import { Session } from './session.js';
import { checkedInterval, STATS_INTERVAL } from './statistics.js';

/** @import { BackOffOptions } from './back-off.js' */
/** @import { Flow } from './connection.js' */
/** @import { CommonState, State } from './lifecycle.js' */
/** @import { ServerEvent } from './server-event.js' */
/** @import { Reading } from './statistics.js' */

const LAYER = 'urn:ietf:params:whep:ext:core:layer';
const EVENTS = ['active', 'inactive', 'viewercount', 'layers', 'reconnect'];

/** Answers that say nothing about the form of a request; all others of 400 to 499 may. */
const NOT_THE_FORM = [401, 403, 404, 409, 410, 429];

/** @typedef {State<'playing' | 'stalled' | CommonState>} PlayerState */

/**
 * @typedef {object} Joined
 * @property {string | undefined} region that serves it, where the server says so
 * @property {string | undefined} node
 * @property {'counter-offer' | 'answer'} mode who offered: with a counter-offer the server can estimate the bandwidth
 * @property {number} joined ms from the try's beginning to the server's answer
 * @property {number | undefined} firstFrame ms from the try's beginning to the first picture on the screen; not without `video`
 * @property {string | undefined} rid of the layer that is shown, where the server tells its layers' sizes
 */

/** @typedef {Omit<Reading, 'layers' | 'limitedBy'> & Joined} PlayerStats */

/**
 * What is chosen of the layers, by rid, number or size (WHEP's layer extension). Empty: the server chooses again.
 * @typedef {object} LayerChoice
 * @property {string} [mediaId] the section's mid
 * @property {string} [encodingId] the layer's rid
 * @property {number} [spatialLayerId]
 * @property {number} [temporalLayerId]
 * @property {number} [maxSpatialLayerId]
 * @property {number} [maxTemporalLayerId]
 * @property {number} [maxWidth] pixels
 * @property {number} [maxHeight] pixels
 */

/**
 * @typedef {object} PlayerOptions
 * @property {string} url the stream's WHEP endpoint; its query stays, as `?maxHeight=720`
 * @property {string} [token] where the stream's viewers need one
 * @property {boolean} [counterOffer] whether the server is asked to offer: only so can it estimate the bandwidth; true
 * @property {HTMLVideoElement} [video] shows it; when it starts by itself is the element's `autoplay`
 * @property {(media: MediaStream | undefined) => void} [onMedia] what is received, another one after each join; for who
 * shows it without `video`
 * @property {(state: PlayerState) => void} [onState]
 * @property {(stats: PlayerStats) => void} [onStats]
 * @property {(event: ServerEvent) => void} [onEvent] what the server tells: `viewercount` and the like
 * @property {number} [statsInterval] ms between statistics, 100 to 60,000; 1,000
 * @property {BackOffOptions} [backOff] between tries
 */

/** @typedef {{ connection: Connection, media: MediaStream, facts: Joined, started: number }} Playback */

export class WhepPlayer {
  #options;
  #statsInterval;
  #lifecycle;
  /** By connection: of several the newest may not be shown yet. @type {WeakMap<Connection, Playback>} */
  #playbacks = new WeakMap();
  /** @type {Playback | undefined} the one that is shown */
  #shown;
  /** What is asked for: less when the server refuses. */
  #asks;
  /** What was asked for when it last worked. @type {{ counterOffer: boolean, channel: boolean } | undefined} */
  #worked;
  /** @type {LayerChoice | undefined} */
  #layer;
  /** Of the stream's layers, as the server told last: rids by height. @type {Map<number, string>} */
  #rids = new Map();

  /**
   * @param {PlayerOptions} options
   * @throws {RangeError} when `statsInterval` is none.
   */
  constructor(options) {
    this.#options = options;
    this.#asks = this.#most();
    this.#statsInterval = checkedInterval(options.statsInterval ?? STATS_INTERVAL);
    this.#lifecycle = new Lifecycle({
      url: options.url,
      connect: (url, signal) => this.#join(url, signal),
      onConnection: (connection) => this.#show(connection && this.#playbacks.get(connection)),
      nameOf,
      onState: (state) => this.#options.onState?.(state),
      backOff: options.backOff,
    });
  }

  get state() {
    return this.#lifecycle.state;
  }

  /**
   * Joins, and goes on until `close()`.
   * @throws Error when it was started before.
   */
  start() {
    this.#lifecycle.start();
  }

  /** While it waits for the next try: tries now. */
  retryNow() {
    this.#lifecycle.retryNow();
  }

  /**
   * Ends it for good. Idempotent.
   * @returns {Promise<void>} when the server knows
   */
  close() {
    return this.#lifecycle.close();
  }

  /**
   * Chooses what is sent of a stream with layers; it is chosen again after each join.
   * @param {LayerChoice} choice
   * @throws {Refused} when the server does not take it.
   * @throws {Unreachable}
   * @throws Error when it does not play, or the server has no choice of layers.
   */
  async setLayer(choice) {
    const connection = this.#shown?.connection;
    if (connection === undefined)
      throw new Error('The player is not connected: there is no layer to choose.');
    await chooseLayer(connection, choice);
    this.#layer = Object.keys(choice).length > 0 ? choice : undefined;
  }

  /**
   * Asks for what the server is not known to refuse, and for less where it does.
   * @param {string} url
   * @param {AbortSignal} signal
   */
  async #join(url, signal) {
    const started = performance.now();
    for (;;) {
      try {
        return await this.#joinOnce(url, signal, started);
      } catch (error) {
        if (signal.aborted || !this.#askForLess(error)) throw error;
      }
    }
  }

  /**
   * Whether the failure may come from what was asked for, and less is left to ask for.
   * @param {unknown} error
   */
  #askForLess(error) {
    const asks = this.#asks;
    const isForm =
      error instanceof Refused
        ? error.status >= 400 && error.status < 500 && !NOT_THE_FORM.includes(error.status)
        : !(error instanceof Unreachable);
    // A server whose CORS does not know `Prefer` cannot be told from one that is not there.
    const isCors = this.#worked === undefined && error instanceof Unreachable && !error.timedOut;
    if (isForm && asks.channel) asks.channel = false;
    else if ((isForm || isCors) && asks.counterOffer) asks.counterOffer = false;
    else {
      this.#asks = this.#worked ?? this.#most();
      return false;
    }
    return true;
  }

  #most() {
    return { counterOffer: this.#options.counterOffer ?? true, channel: true };
  }

  /**
   * @param {string} url
   * @param {AbortSignal} signal
   * @param {number} started ms
   */
  async #joinOnce(url, signal, started) {
    const { token } = this.#options;
    const { counterOffer, channel: wantsChannel } = this.#asks;
    const media = new MediaStream();
    let peer = new RTCPeerConnection();
    let channel = wantsChannel ? new EventChannel(peer) : undefined;
    /** @type {Session | undefined} */
    let session;
    try {
      for (const kind of ['video', 'audio']) {
        media.addTrack(peer.addTransceiver(kind, { direction: 'recvonly' }).receiver.track);
      }
      await peer.setLocalDescription();
      session = await Session.open({ url, token, offer: sdpOf(peer), counterOffer, signal });
      const joined = performance.now() - started;
      const { description, iceServers } = session;
      if (description.type === 'offer') {
        peer.close();
        for (const track of media.getTracks()) media.removeTrack(track);
        peer = new RTCPeerConnection();
        useIceServers(peer, iceServers);
        peer.addEventListener('track', ({ track }) => media.addTrack(track));
        channel = hasDataSection(description.sdp) ? new EventChannel(peer) : undefined;
        await peer.setRemoteDescription(description);
        await peer.setLocalDescription();
        if (!isIceLite(description.sdp ?? '')) await gathered(peer, signal);
        await session.answer(sdpOf(peer), signal);
      } else {
        // For a restart, when the first try does not connect: candidates by these servers come too late for this one.
        useIceServers(peer, iceServers);
        await peer.setRemoteDescription(description);
      }
      signal.throwIfAborted();
      const mode = description.type === 'offer' ? 'counter-offer' : 'answer';
      this.#worked = { counterOffer: mode === 'counter-offer', channel: wantsChannel };
      this.#asks = { ...this.#worked };
      const { region, node } = session;
      const connection = new Connection({
        peer,
        session,
        direction: 'inbound-rtp',
        statsInterval: this.#statsInterval,
      });
      /** @type {Joined} */
      const facts = { region, node, mode, joined, firstFrame: undefined, rid: undefined };
      this.#keep({ connection, media, facts, started }, channel);
      return connection;
    } catch (error) {
      peer.close();
      session?.delete();
      throw error;
    }
  }

  /**
   * @param {Playback} playback
   * @param {EventChannel | undefined} channel
   */
  #keep(playback, channel) {
    const { connection, facts } = playback;
    this.#playbacks.set(connection, playback);
    connection.onReading = ({ layers: _, limitedBy: __, ...reading }) => {
      if (playback !== this.#shown) return;
      this.#options.onStats?.({ ...reading, ...facts, rid: this.#rids.get(reading.frameHeight) });
    };
    listen(connection, { channel, names: EVENTS, onEvent: (event) => this.#onEvent(event, connection) });
    const layer = this.#layer;
    // A stream that came back without that layer is better than none.
    if (layer !== undefined) chooseLayer(connection, layer).catch(() => {});
  }

  /**
   * @param {ServerEvent} event
   * @param {Connection} connection that heard it
   */
  #onEvent(event, connection) {
    const { data } = event;
    if (event.event === 'active' || event.event === 'inactive') connection.rest(event.event === 'inactive');
    if (event.event === 'layers') this.#rids = ridsByHeight(data);
    if (event.event === 'reconnect') {
      this.#lifecycle.move(connection, reconnectUrl(membersOf(data).url, this.#options.url));
    }
    this.#options.onEvent?.(event);
  }

  /** @param {Playback | undefined} playback */
  #show(playback) {
    this.#shown = playback;
    const { video, onMedia } = this.#options;
    onMedia?.(playback?.media);
    if (video === undefined) return;
    video.srcObject = playback?.media ?? null;
    if (playback === undefined || !('requestVideoFrameCallback' in video)) return;
    const handle = video.requestVideoFrameCallback((now) => {
      playback.facts.firstFrame ??= now - playback.started;
    });
    playback.connection.signal.addEventListener('abort', () => video.cancelVideoFrameCallback(handle), {
      once: true,
    });
  }
}

/**
 * @param {Connection} connection
 * @param {LayerChoice} choice
 */
async function chooseLayer({ session, signal }, choice) {
  const link = session.link(LAYER);
  if (link === undefined) throw new Error('The server has no choice of layers.');
  await session.post(link.target, choice, signal);
}

/**
 * @param {Flow} flow
 * @returns {'connecting' | 'playing' | 'stalled'}
 */
function nameOf(flow) {
  if (flow === 'flowing') return 'playing';
  return flow === 'silent' ? 'stalled' : 'connecting';
}

/**
 * The rid of each height in a `layers` event.
 * @param {unknown} data
 * @returns {Map<number, string>}
 */
function ridsByHeight(data) {
  const layers = Object.values(membersOf(membersOf(data).medias)).flatMap((media) =>
    Object.values(membersOf(membersOf(media).active)).map(membersOf),
  );
  return new Map(
    layers.flatMap(({ id, height }) =>
      typeof id === 'string' && typeof height === 'number' ? [[height, id]] : [],
    ),
  );
}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>} none of what is no object
 */
const membersOf = (value) => (typeof value === 'object' && value !== null ? { ...value } : {});

/** @param {RTCPeerConnection} peer */
const sdpOf = (peer) => peer.localDescription?.sdp ?? '';

/** @param {string | undefined} sdp */
const hasDataSection = (sdp) => /^m=application /m.test(sdp ?? '');
