// One session with its RTCPeerConnection: watched, kept by ICE restarts, and ended together, whatever happens.
// @ts-check

import { Refused } from './errors.js';
import { isIceLite, readIce, withIce, writeFragment } from './fragment.js';
import { bytesIn, Meter, usernameFragmentInUse } from './statistics.js';

/** @import { Session } from './session.js' */
/** @import { Entry, Reading } from './statistics.js' */

/** Candidates are gathered so long at the most before they are told, in ms. */
const GATHERING = 1_000;
/** From the descriptions to connected media, in ms; then ICE is restarted once. */
const CONNECTING = 5_000;
/** Without a byte, in ms: a node that died says nothing, and browsers call that `disconnected` only after some 6 s. */
const SILENCE = 2_000;
/** The same of one that sends sound only: reports of it may be 5 s apart (RFC 3550 section 6.2), in ms. */
const SILENCE_OF_REPORTS = 6_000;
/** From the server's yes to a restart until media must go the new way, in ms. */
const RESTARTING = 5_000;
/** Between two tries to reach the server for a restart, in ms. */
const AGAIN = 1_000;
/** Without a byte and without an answer, in ms: by then the node has let the session go (MERIDIAN_ICE_CONSENT_MS). */
const GIVING_UP = 10_000;
/** Bytes between two looks that are media: reports and checks are less. */
const MEDIA = 2_000;
/** Between looks at the connection, in ms. */
const LOOK = 500;

/**
 * Why a connection is over: `closed` by us; `server`: the server ended it, and the link was good; `superseded`: it says
 * that another publisher took the stream over; `lost`: it broke, and could not be mended.
 * @typedef {'closed' | 'server' | 'superseded' | 'lost'} End
 */

/**
 * `connecting`, then `flowing` with each first byte after none, `silent` when no byte comes though the server says the
 * session is good.
 * @typedef {'connecting' | 'connected' | 'flowing' | 'silent'} Flow
 */

/**
 * @typedef {object} ConnectionOptions
 * @property {RTCPeerConnection} peer its descriptions are set
 * @property {Session} session
 * @property {'inbound-rtp' | 'outbound-rtp'} direction of the media
 * @property {number} statsInterval ms between readings
 */

export class Connection {
  peer;
  session;
  /** Resolves once. @type {Promise<End>} */
  ended;
  /** Resolves with the first byte of media, or the end. @type {Promise<void>} */
  started;
  /** Told of every change. @type {(flow: Flow) => void} */
  onFlow = () => {};
  /** @type {(reading: Reading) => void} */
  onReading = () => {};
  #direction;
  /** ms without a byte that are doubted */
  #silence;
  #over = new AbortController();
  /** @type {(end: End) => void} */
  #resolve;
  /** @type {() => void} */
  #begin;
  #meter;
  /** The server's description as it stands: every restart changes it. */
  #remote;
  /** @type {Flow} */
  #flow = 'connecting';
  #isResting = false;
  #bytes = 0;
  #heardAt = performance.now();
  /** The server was asked about this silence already. */
  #asked = false;
  /** @type {AbortController | undefined} the present try of a restart that is under way */
  #restarting;
  /** Aborts when the network is another one: then also a try that the server has answered is over. */
  #network = new AbortController();

  /** @param {ConnectionOptions} options */
  constructor({ peer, session, direction, statsInterval }) {
    this.peer = peer;
    this.session = session;
    this.#remote = session.description.sdp ?? '';
    this.#direction = direction;
    const sendsVideo = peer.getSenders().some(({ track }) => track?.kind === 'video');
    this.#silence = direction === 'outbound-rtp' && !sendsVideo ? SILENCE_OF_REPORTS : SILENCE;
    this.#meter = new Meter(direction);
    /** @type {PromiseWithResolvers<End>} */
    const end = Promise.withResolvers();
    this.ended = end.promise;
    this.#resolve = end.resolve;
    /** @type {PromiseWithResolvers<void>} */
    const start = Promise.withResolvers();
    this.started = start.promise;
    this.#begin = start.resolve;
    this.#watch(statsInterval);
  }

  get flow() {
    return this.#flow;
  }

  /** Aborts when the connection is over. */
  get signal() {
    return this.#over.signal;
  }

  /**
   * Ends it and its session. Idempotent.
   * @returns {Promise<void>} when the server knows, or cannot be told
   */
  close() {
    this.#end('closed');
    return this.session.delete();
  }

  /** @param {number} statsInterval */
  #watch(statsInterval) {
    const { peer } = this;
    const { signal } = this.#over;
    const seeState = () => {
      const { connectionState } = peer;
      if (connectionState === 'connected' && this.#flow === 'connecting') this.#say('connected');
      if (connectionState === 'disconnected' || connectionState === 'failed') this.#restart();
    };
    peer.addEventListener('connectionstatechange', seeState, { signal });
    for (const { sender, receiver } of peer.getTransceivers()) {
      // A server that ends a session says so in DTLS; the connection's own state tells it much later.
      const transport = sender.transport ?? receiver.transport;
      transport?.addEventListener(
        'statechange',
        () => transport.state === 'closed' && this.#closedByServer(),
        {
          signal,
        },
      );
    }
    // With a counter-offer media may be connected before the server's answer to ours is here.
    seeState();
    this.#every(LOOK, () => this.#look());
    this.#every(statsInterval, async () => {
      const reading = this.#meter.read(await this.#report());
      if (!signal.aborted) this.onReading(reading);
    });
    const slow = setTimeout(() => {
      if (this.#flow === 'connecting') this.#restart();
    }, CONNECTING);
    signal.addEventListener('abort', () => clearTimeout(slow), { once: true });
    this.#onNetworkChange(() => {
      this.#network.abort();
      this.#network = new AbortController();
      this.#restart();
    });
    if (!isIceLite(this.#remote) && this.session.canPatch) this.#trickle().catch(() => {});
  }

  /**
   * @param {number} interval ms
   * @param {() => Promise<void>} action
   */
  #every(interval, action) {
    const timer = setInterval(() => {
      action().catch(() => {
        // The connection went away meanwhile: its end is on its way.
      });
    }, interval);
    this.#over.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  }

  /**
   * The network came back, or it is another one. `change` fires for estimates of its speed, too.
   * @param {() => void} action
   */
  #onNetworkChange(action) {
    const { signal } = this.#over;
    globalThis.addEventListener?.('online', action, { signal });
    const network = /** @type {{ connection?: EventTarget & { type?: string } }} */ (navigator).connection;
    let type = network?.type;
    network?.addEventListener(
      'change',
      () => {
        if (network.type !== type) action();
        type = network.type;
      },
      { signal },
    );
  }

  /** @returns {Promise<Entry[]>} */
  async #report() {
    return [...(await this.peer.getStats()).values()];
  }

  /**
   * The server says whether the stream's publisher sends: while it does not, silence is no reason to mend the way.
   * @param {boolean} isResting
   */
  rest(isResting) {
    this.#isResting = isResting;
    this.#heardAt = performance.now();
    if (isResting && this.#flow !== 'connecting') this.#say('silent');
  }

  async #look() {
    const bytes = bytesIn(await this.#report());
    if (this.#over.signal.aborted || this.#flow === 'connecting') return;
    const now = performance.now();
    if (this.#isResting && bytes < this.#bytes + MEDIA) {
      this.#bytes = bytes;
      this.#heardAt = now;
    } else if (bytes > this.#bytes) {
      this.#isResting = false;
      this.#bytes = bytes;
      this.#heardAt = now;
      this.#asked = false;
      this.#say('flowing');
    } else if (now - this.#heardAt > this.#silence && !this.#asked) {
      // The browser knows that there is no network: it will say when there is one.
      if (navigator.onLine !== false) this.#restart();
    }
  }

  /** @param {Flow} flow */
  #say(flow) {
    if (flow === this.#flow || this.#over.signal.aborted) return;
    if (this.#flow === 'connecting') this.#heardAt = performance.now();
    this.#flow = flow;
    if (flow === 'flowing') this.#begin();
    this.onFlow(flow);
  }

  /** Tells our candidates to a server that checks them itself. */
  async #trickle() {
    const { signal } = this.#over;
    await gathered(this.peer, signal);
    await this.session.trickle(writeFragment(this.peer.localDescription?.sdp ?? ''), signal);
  }

  /**
   * One at a time; who asks for one meanwhile has the present try begin anew. Once the server has answered it, only another
   * network does.
   */
  #restart() {
    if (this.#over.signal.aborted) return;
    if (this.#restarting !== undefined) {
      this.#restarting.abort();
      return;
    }
    this.#restarting = new AbortController();
    this.#asked = true;
    this.#restartUntil(performance.now() + GIVING_UP)
      .then(
        (isMended) => isMended || this.#end('lost'),
        (error) => this.#end(isSuperseded(error) ? 'superseded' : 'lost'),
      )
      .finally(() => {
        this.#restarting = undefined;
      });
  }

  /**
   * @param {number} deadline ms
   * @returns {Promise<boolean>} whether media goes a good way
   */
  async #restartUntil(deadline) {
    if (!this.session.canPatch) return this.#isHeardWithin(deadline - performance.now());
    for (;;) {
      const attempt = new AbortController();
      this.#restarting = attempt;
      const network = this.#network.signal;
      try {
        await this.#restartOnce(AbortSignal.any([attempt.signal, this.#over.signal]));
        const isMended = await this.#isMended(network);
        if (!network.aborted || this.#over.signal.aborted) return isMended;
      } catch (error) {
        if (this.#over.signal.aborted || error instanceof Refused) throw error;
        // The server was not reached, so nothing is known. Media may flow again by itself meanwhile.
        await this.peer.setLocalDescription({ type: 'rollback' });
        if (attempt.signal.aborted) continue;
        if (await this.#isHeardWithin(AGAIN, network)) return true;
        if (performance.now() > deadline && !network.aborted) return false;
      }
    }
  }

  /** @param {AbortSignal} signal */
  async #restartOnce(signal) {
    const { peer } = this;
    peer.restartIce();
    await peer.setLocalDescription(await peer.createOffer());
    if (!isIceLite(this.#remote)) await gathered(peer, signal);
    const fragment = await this.session.restart(writeFragment(peer.localDescription?.sdp ?? ''), signal);
    this.#remote = withIce(this.#remote, readIce(fragment));
    await peer.setRemoteDescription({ type: 'answer', sdp: this.#remote });
  }

  /**
   * Whether media, or the checks for it, go by our new credentials.
   * @param {AbortSignal} network
   */
  async #isMended(network) {
    const { usernameFragment } = readIce(this.peer.localDescription?.sdp ?? '');
    const before = this.#bytes;
    return this.#until(
      RESTARTING,
      async () => {
        const report = await this.#report();
        if (bytesIn(report) > before) return true;
        const inUse = usernameFragmentInUse(report);
        const isNew =
          inUse === undefined
            ? ['connected', 'completed'].includes(this.peer.iceConnectionState)
            : inUse === usernameFragment;
        if (isNew) this.#say('silent');
        return isNew;
      },
      network,
    );
  }

  /**
   * @param {number} patience ms
   * @param {AbortSignal} [network]
   */
  #isHeardWithin(patience, network) {
    const before = this.#bytes;
    return this.#until(patience, async () => bytesIn(await this.#report()) > before, network);
  }

  /**
   * @param {number} patience ms
   * @param {() => Promise<boolean>} isSo
   * @param {AbortSignal} [network] nobody waits any more when it is another one
   */
  async #until(patience, isSo, network) {
    const deadline = performance.now() + patience;
    while (!this.#over.signal.aborted && !network?.aborted) {
      if (await isSo()) return true;
      if (performance.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, LOOK / 2));
    }
    return false;
  }

  /** A publisher asks at its session's URL whether another one took the stream over. */
  async #closedByServer() {
    const { signal } = this.#over;
    if (signal.aborted) return;
    let error;
    if (this.#direction === 'outbound-rtp' && this.session.canPatch) {
      const fragment = writeFragment(this.peer.localDescription?.sdp ?? '');
      error = await this.session.trickle(fragment, signal).catch((reason) => reason);
    }
    this.#end(isSuperseded(error) ? 'superseded' : 'server');
  }

  /** @param {End} end */
  #end(end) {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.peer.close();
    this.session.delete();
    this.#begin();
    this.#resolve(end);
  }
}

/** @param {unknown} error */
const isSuperseded = (error) => error instanceof Refused && error.code === 'session-superseded';

/**
 * @param {RTCPeerConnection} peer
 * @param {AbortSignal} signal
 * @returns {Promise<void>} when all candidates are there, or those that came in time
 */
export function gathered(peer, signal) {
  const { promise, resolve } = Promise.withResolvers();
  const done = new AbortController();
  const timer = setTimeout(resolve, GATHERING);
  const look = () => peer.iceGatheringState === 'complete' && resolve(undefined);
  peer.addEventListener('icegatheringstatechange', look, { signal: done.signal });
  signal.addEventListener('abort', resolve, { signal: done.signal });
  look();
  return promise.finally(() => {
    clearTimeout(timer);
    done.abort();
  });
}
