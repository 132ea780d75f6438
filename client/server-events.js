// What the server tells a player: by the data channel, or by server-sent events where that did not open.
// @ts-check

import { Refused } from './errors.js';

/** @import { Connection } from './connection.js' */

/** The data channel is given so long after media is connected, in ms. */
const CHANNEL_PATIENCE = 3_000;
/** Between two looks at an event stream that ended, where it does not say, in ms: as the server's `retry`. */
const RETRY = 2_000;
/** What a server's `retry` can make of it, in ms: neither a storm nor the end. */
const LEAST_RETRY = 500;
const MOST_RETRY = 60_000;
const REL = 'urn:ietf:params:whep:ext:core:server-sent-events';

/** @typedef {{ event: string, data: unknown }} ServerEvent */

/**
 * Both ends name it beforehand: the server makes no channels of its own.
 * @param {RTCPeerConnection} peer
 */
export const createEventChannel = (peer) => peer.createDataChannel('events', { negotiated: true, id: 0 });

/**
 * Tells every event of a connection until it is over.
 * @param {Connection} connection
 * @param {{ channel: RTCDataChannel | undefined, names: readonly string[], onEvent: (event: ServerEvent) => void }} options
 * `names`: those that are asked for where the server must be asked
 */
export function listen(connection, { channel, names, onEvent }) {
  const { peer, session, signal } = connection;
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
  const begin = () => {
    if (peer.connectionState !== 'connected') return;
    peer.removeEventListener('connectionstatechange', begin);
    const timer = setTimeout(() => {
      if (channel?.readyState === 'open' || wanted.length === 0) return;
      subscribe(connection, link.target, wanted, onEvent).catch(() => {
        // The session is over, or the server takes no subscription: it plays without events.
      });
    }, CHANNEL_PATIENCE);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  };
  peer.addEventListener('connectionstatechange', begin, { signal });
  begin();
}

/**
 * @param {Connection} connection
 * @param {string} url
 * @param {readonly string[]} names
 * @param {(event: ServerEvent) => void} onEvent
 */
async function subscribe({ session, signal }, url, names, onEvent) {
  const made = await session.post(url, names, signal);
  const location = made.headers.get('location');
  if (location === null) return;
  const stream = new URL(location, made.url).href;
  const parser = new EventStreamParser();
  while (!signal.aborted) {
    try {
      const last = parser.lastId === '' ? {} : { 'Last-Event-ID': parser.lastId };
      const { body } = await session.get(stream, { Accept: 'text/event-stream', ...last }, signal);
      for await (const text of body === null ? [] : textOf(body)) {
        for (const { event, data } of parser.push(text)) {
          onEvent({ event, data: parse(data) });
        }
      }
    } catch (error) {
      if (signal.aborted || (error instanceof Refused && !error.isPassing)) return;
    }
    parser.end();
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, parser.retry);
      signal.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true });
    });
  }
}

/** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body */
async function* textOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** Reads `text/event-stream` (HTML, section 9.2.6) in whatever pieces it comes. */
export class EventStreamParser {
  lastId = '';
  /** ms */
  retry = RETRY;
  #rest = '';
  #id = '';
  #event = '';
  /** @type {string[]} */
  #data = [];

  /**
   * @param {string} text
   * @returns {{ event: string, data: string }[]} the events that it completes
   */
  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line));
  }

  /** The stream ended: what was not complete is dropped, as the standard has it. */
  end() {
    this.#rest = '';
    this.#id = this.lastId;
    this.#event = '';
    this.#data = [];
  }

  /** @param {string} line */
  #line(line) {
    if (line === '') {
      const event = { event: this.#event || 'message', data: this.#data.join('\n') };
      const isEvent = this.#data.length > 0;
      this.lastId = this.#id;
      this.#event = '';
      this.#data = [];
      return isEvent ? [event] : [];
    }
    const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'retry' && /^\d+$/.test(value))
      this.retry = Math.min(Math.max(Number(value), LEAST_RETRY), MOST_RETRY);
    return [];
  }
}

/**
 * @param {unknown} message
 * @returns {ServerEvent | undefined} undefined: none of the kind that we know
 */
function readEvent(message) {
  const read = typeof message === 'string' ? parse(message) : undefined;
  if (typeof read !== 'object' || read === null || !('event' in read)) return undefined;
  const { event } = read;
  return typeof event === 'string' ? { event, data: 'data' in read ? read.data : undefined } : undefined;
}

/**
 * @param {string} json
 * @returns {unknown}
 */
function parse(json) {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
