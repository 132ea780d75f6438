// A subscription to a session's server-sent events (WHEP's extension): made, and read for as long as it is wanted.
// @ts-check

import { Refused } from './errors.js';
import { EventStreamParser } from './event-stream.js';
import { parseJson } from './server-event.js';

/** @import { ServerEvent } from './server-event.js' */
/** @import { Session } from './session.js' */

/**
 * @typedef {object} SubscriptionOptions
 * @property {string} url where subscriptions are made
 * @property {readonly string[]} names of the events
 * @property {(event: ServerEvent) => void} onEvent
 * @property {AbortSignal} signal it is not wanted any more
 */

/**
 * @param {Pick<Session, 'post' | 'get'>} session
 * @param {SubscriptionOptions} options
 * @returns {Promise<void>} when it is over
 * @throws {Refused} when it cannot be made.
 * @throws {Unreachable}
 * @throws the signal's reason
 */
export async function subscribe(session, { url, names, onEvent, signal }) {
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
          onEvent({ event, data: parseJson(data) });
        }
        if (parser.isTooLong) break;
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

/** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body cancelled when the reader wants no more */
async function* textOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    // Of one that broke it says again why.
    reader.cancel().catch(() => {});
  }
}
