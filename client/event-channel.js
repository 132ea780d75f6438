// Hears a connection's events by its data channel, and by server-sent events for as long as that is not open.
// @ts-check

import { subscribe } from './event-subscription.js';
import { readEvent } from './server-event.js';

/** @import { ServerEvent } from './server-event.js' */
/** @import { Session } from './session.js' */

/** The data channel is given so long after media is connected, in ms. */
const CHANNEL_PATIENCE = 3_000;
const REL = 'urn:ietf:params:whep:ext:core:server-sent-events';

/**
 * Both ends name it beforehand: the server makes no channels of its own.
 * @param {RTCPeerConnection} peer
 */
export const createEventChannel = (peer) => peer.createDataChannel('events', { negotiated: true, id: 0 });

/**
 * What is needed of a connection to hear its events.
 * @typedef {object} Heard
 * @property {Pick<RTCPeerConnection, 'connectionState' | 'addEventListener' | 'removeEventListener'>} peer
 * @property {Pick<Session, 'link' | 'post' | 'get'>} session
 * @property {AbortSignal} signal aborts when it is over
 */

/**
 * @typedef {object} ListenOptions
 * @property {Pick<RTCDataChannel, 'readyState' | 'addEventListener'> | undefined} channel
 * @property {readonly string[]} names those that are asked for where the server must be asked
 * @property {(event: ServerEvent) => void} onEvent
 */

/**
 * Tells every event of a connection until it is over.
 * @param {Heard} connection
 * @param {ListenOptions} options
 */
export function listen({ peer, session, signal }, { channel, names, onEvent }) {
  channel?.addEventListener(
    'message',
    ({ data }) => {
      const event = readEvent(data);
      if (event !== undefined) onEvent(event);
    },
    { signal },
  );
  const link = session.link(REL);
  if (link === undefined) return;
  const offered = (link.parameters.events ?? '').split(',').map((name) => name.trim());
  const wanted = names.filter((name) => offered.includes(name));
  if (wanted.length === 0) return;

  /** Of the subscription that stands in for the channel. @type {AbortController | undefined} */
  let standIn;
  const start = () => {
    if (standIn !== undefined || channel?.readyState === 'open') return;
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
  channel?.addEventListener('open', stop, { signal });
  channel?.addEventListener('close', start, { signal });
  const begin = () => {
    if (peer.connectionState !== 'connected') return;
    peer.removeEventListener('connectionstatechange', begin);
    const timer = setTimeout(start, CHANNEL_PATIENCE);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  };
  peer.addEventListener('connectionstatechange', begin, { signal });
  begin();
}
