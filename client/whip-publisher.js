// A WHIP publisher: sends a MediaStream, and publishes again until it is closed (RFC 9725).
// @ts-check

import { Connection } from './connection.js';
import { encodingsFor, preferring } from './encodings.js';
import { Refused } from './errors.js';
import { useIceServers } from './ice-servers.js';
import { Lifecycle } from './lifecycle.js';
import { Session } from './session.js';
import { checkedInterval, STATS_INTERVAL } from './statistics.js';

/** @import { BackOffOptions } from './back-off.js' */
/** @import { Flow } from './connection.js' */
/** @import { CommonState, Outcome, State } from './lifecycle.js' */
/** @import { Reading } from './statistics.js' */

/** @typedef {State<'live' | 'superseded' | CommonState>} PublisherState */

/**
 * @typedef {Omit<Reading, 'freezes' | 'framesDropped'> & { region: string | undefined, node: string | undefined }} PublisherStats
 */

/**
 * @typedef {object} PublisherOptions
 * @property {string} url the stream's WHIP endpoint
 * @property {string} token a publish token
 * @property {MediaStream} stream its first video and its first audio track are sent; they stay the caller's
 * @property {boolean} [simulcast] up to three layers, `l`, `m` and `h`, as many as the picture has room for; true
 * @property {number} [maxBitrate] bits per second of video, all layers together
 * @property {'motion' | 'detail' | 'text'} [contentHint] what must stay good when bits are few: motion, or sharpness
 * @property {string} [codec] the video codec to prefer, as `H264`, `video/VP9` or `H264;profile-level-id=42e01f`
 * @property {'stop' | 'retry'} [onTakeover] when another publisher took the stream over: `stop` in the state `superseded`,
 * or `retry` as after a broken connection, which takes it back; `stop`
 * @property {(state: PublisherState) => void} [onState]
 * @property {(stats: PublisherStats) => void} [onStats]
 * @property {number} [statsInterval] ms between statistics, 100 to 60,000; 1,000
 * @property {BackOffOptions} [backOff] between tries
 */

export class WhipPublisher {
  #options;
  #statsInterval;
  #lifecycle;

  /**
   * @param {PublisherOptions} options
   * @throws {RangeError} when `statsInterval` or `maxBitrate` is none.
   * @throws Error when the stream has no track, or the browser does not send the codec.
   */
  constructor(options) {
    const { stream, codec, maxBitrate = 1 } = options;
    if (stream.getTracks().length === 0) throw new Error('The stream to publish has no track.');
    if (!(maxBitrate > 0)) throw new RangeError(`maxBitrate is ${maxBitrate}; it must be above 0`);
    if (codec !== undefined) preferring(sendableCodecs(), codec);
    this.#options = options;
    this.#statsInterval = checkedInterval(options.statsInterval ?? STATS_INTERVAL);
    this.#lifecycle = new Lifecycle({
      url: options.url,
      connect: (url, signal) => this.#publish(url, signal),
      onConnection: () => {},
      nameOf,
      stopsIn: (outcome) => this.#stopsIn(outcome),
      onState: (state) => this.#options.onState?.(state),
      backOff: options.backOff,
    });
  }

  get state() {
    return this.#lifecycle.state;
  }

  /**
   * Publishes, and goes on until `close()`.
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
   * Ends it for good; the stream's tracks go on. Idempotent.
   * @returns {Promise<void>} when the server knows
   */
  close() {
    return this.#lifecycle.close();
  }

  /**
   * Two publishers that both come back would take the stream from each other for ever. Meridian says who was taken over;
   * of another server we know when it ended us though the link was good, and has somebody else now.
   * @param {Outcome} outcome
   * @returns {'superseded' | undefined}
   */
  #stopsIn(outcome) {
    if (this.#options.onTakeover === 'retry') return undefined;
    const isTakenOver =
      'end' in outcome
        ? outcome.end === 'superseded'
        : outcome.lastEnd === 'server' && outcome.error instanceof Refused && outcome.error.status === 409;
    return isTakenOver ? 'superseded' : undefined;
  }

  /**
   * @param {string} url
   * @param {AbortSignal} signal
   */
  async #publish(url, signal) {
    const { token } = this.#options;
    const peer = new RTCPeerConnection();
    /** @type {Session | undefined} */
    let session;
    try {
      this.#addTracks(peer);
      await peer.setLocalDescription();
      session = await Session.open({ url, token, offer: peer.localDescription?.sdp ?? '', signal });
      const { description, iceServers, region, node } = session;
      // For a restart, when the first try does not connect: candidates by these servers come too late for this one.
      useIceServers(peer, iceServers);
      await peer.setRemoteDescription(description);
      signal.throwIfAborted();
      const connection = new Connection({
        peer,
        session,
        direction: 'outbound-rtp',
        statsInterval: this.#statsInterval,
      });
      connection.onReading = ({ freezes: _, framesDropped: __, ...reading }) =>
        this.#options.onStats?.({ ...reading, region, node });
      return connection;
    } catch (error) {
      peer.close();
      session?.delete();
      throw error;
    }
  }

  /** @param {RTCPeerConnection} peer */
  #addTracks(peer) {
    const { stream, simulcast = true, maxBitrate, contentHint, codec } = this.#options;
    const [video] = stream.getVideoTracks();
    const [audio] = stream.getAudioTracks();
    if (video !== undefined) {
      if (contentHint !== undefined) video.contentHint = contentHint;
      const transceiver = peer.addTransceiver(video, {
        direction: 'sendonly',
        streams: [stream],
        sendEncodings: encodingsFor(video.getSettings(), { simulcast, maxBitrate }),
      });
      if (codec !== undefined) transceiver.setCodecPreferences(preferring(sendableCodecs(), codec));
    }
    if (audio !== undefined) peer.addTransceiver(audio, { direction: 'sendonly', streams: [stream] });
  }
}

const sendableCodecs = () => RTCRtpSender.getCapabilities('video')?.codecs ?? [];

/**
 * A publisher hears the server's reports; one that hears none though the session is good publishes all the same.
 * @param {Flow} flow
 * @returns {'connecting' | 'live'}
 */
const nameOf = (flow) => (flow === 'connecting' ? 'connecting' : 'live');
