// Hears a connection's events by its data channel, and by server-sent events for as long as that is not open.
// @ts-check

import { subscribe } from './event-subscription.js';
import { readEvent } from './server-event.js';

/** @import { ServerEvent } from './server-event.js' */
/** @import { Session } from './session.js' */

/** The data channel is given so long after media is connected, in ms. */
const CHANNEL_PATIENCE = 3_000;
const REL = 'urn:ietf:params:whep:ext:core:server-sent-events';

/** @typedef {Pick<RTCDataChannel, 'readyState' | 'addEventListener'>} DataChannel */

/**
 * The data channel for the events of a connection that is made. It keeps what it is told before anybody listens: a server
 * that offered may have connected the channel before the page knows that its answer was taken.
 */
export class EventChannel {
  dataChannel;
  /** @type {unknown[]} */
  #early = [];
  /** @type {(message: unknown) => void} */
  #take = (message) => this.#early.push(message);

  /**
   * Both ends name it beforehand: the server makes no channels of its own.
   * @param {{ createDataChannel: (label: string, init: RTCDataChannelInit) => DataChannel }} peer
   */
  constructor(peer) {
    this.dataChannel = peer.createDataChannel('events', { negotiated: true, id: 0 });
    this.dataChannel.addEventListener('message', ({ data }) => this.#take(data));
  }

  /**
   * Hands over every message, first those that came already; each in a turn of its own, so that one that cannot be taken
   * harms nothing else.
   * @param {(message: unknown) => void} take
   */
  listen(take) {
    this.#take = take;
    for (const message of this.#early.splice(0)) queueMicrotask(() => take(message));
  }
}

/**
 * What is needed of a connection to hear its events.
 * @typedef {object} Heard
 * @property {Pick<RTCPeerConnection, 'connectionState' | 'addEventListener' | 'removeEventListener'>} peer
 * @property {Pick<Session, 'link' | 'post' | 'get'>} session
 * @property {AbortSignal} signal aborts when it is over
 */

/**
 * @typedef {object} ListenOptions
 * @property {EventChannel | undefined} channel
 * @property {readonly string[]} names those that are asked for where the server must be asked
 * @property {(event: ServerEvent) => void} onEvent
 */

/**
 * Tells every event of a connection until it is over.
 * @param {Heard} connection
 * @param {ListenOptions} options
 */
export function listen({ peer, session, signal }, { channel, names, onEvent }) {
  channel?.listen((message) => {
    const event = readEvent(message);
    if (event !== undefined && !signal.aborted) onEvent(event);
  });
  const link = session.link(REL);
  if (link === undefined) return;
  const offered = (link.parameters.events ?? '').split(',').map((name) => name.trim());
  const wanted = names.filter((name) => offered.includes(name));
  if (wanted.length === 0) return;

  /** Of the subscription that stands in for the channel. @type {AbortController | undefined} */
  let standIn;
  const start = () => {
    if (standIn !== undefined || channel?.dataChannel.readyState === 'open') return;
    standIn = new AbortController();
    const until = AbortSignal.any([signal, standIn.signal]);
    subscribe(session, { url: link.target, names: wanted, onEvent, signal: until }).catch(() => {
      // It is over, or the server takes no subscription: it plays without events.
    });
  };
  const stop = () => {
    standIn?.abort();
    standIn = undefined;
  };
  channel?.dataChannel.addEventListener('open', stop, { signal });
  channel?.dataChannel.addEventListener('close', start, { signal });
  const begin = () => {
    if (peer.connectionState !== 'connected') return;
    peer.removeEventListener('connectionstatechange', begin);
    const timer = setTimeout(start, CHANNEL_PATIENCE);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  };
  peer.addEventListener('connectionstatechange', begin, { signal });
  begin();
}
