// A WHIP or WHEP session over HTTP: POST, PATCH, DELETE and the resources beside it. It knows nothing of WebRTC's objects.
// @ts-check

import { Refused, refusal, Unreachable } from './errors.js';
import { iceServers, readLinks } from './link-header.js';

/** @import { Link } from './link-header.js' */

/** A first viewer waits while its region fetches the stream, in ms. */
const POST_PATIENCE = 10_000;
/** An answer that nobody waits for any more is still listened to, for its session must be ended: ms from the POST on. */
const LATE = 30_000;
/** Longer than a region's own call to the session's node (its MERIDIAN_CALL_MS, 3 s), in ms. */
const PATIENCE = 5_000;

const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';

/**
 * @typedef {object} OpenOptions
 * @property {string} url the WHIP or WHEP endpoint
 * @property {string | undefined} token for `Authorization: Bearer`
 * @property {string} offer SDP
 * @property {boolean} [counterOffer] asks for one (`Prefer: counter-offer`); the server may still answer
 * @property {AbortSignal} signal nobody waits any more: a session that is opened all the same is ended again
 */

export class Session {
  /** Absolute. */
  url;
  /** The server's SDP: `offer` where it made a counter-offer, which wants an answer. */
  description;
  /** Of the region and the node that serve it, where the server says so. */
  region;
  node;
  #token;
  #etag;
  /** @type {readonly Link[]} */
  #links;
  /** @type {Promise<void> | undefined} */
  #deleted;

  /**
   * @param {Response} response a 201 or a 406 with a `Location`
   * @param {{ location: string, token: string | undefined, sdp: string }} rest
   */
  constructor({ status, headers, url }, { location, token, sdp }) {
    this.url = new URL(location, url).href;
    /** @type {RTCSessionDescriptionInit} */
    this.description = { type: status === 406 ? 'offer' : 'answer', sdp };
    this.region = headers.get('meridian-region') ?? undefined;
    this.node = headers.get('meridian-node') ?? undefined;
    this.#token = token;
    this.#etag = headers.get('etag') ?? undefined;
    this.#links = readLinks(headers.get('link'), this.url);
  }

  /**
   * @param {OpenOptions} options
   * @returns {Promise<Session>}
   * @throws {Refused}
   * @throws {Unreachable}
   * @throws the signal's reason
   */
  static async open({ url, token, offer, counterOffer = false, signal }) {
    signal.throwIfAborted();
    // Not ended with the signal: whether the server has opened a session by then is not known.
    const answered = send(url, {
      method: 'POST',
      token,
      headers: { 'Content-Type': SDP, ...(counterOffer ? { Prefer: 'counter-offer' } : {}) },
      body: offer,
      patience: LATE,
    }).then((response) => Session.#read(response, token, counterOffer));
    const over = new AbortController();
    try {
      return await Promise.race([
        answered,
        aborted(AbortSignal.any([signal, over.signal])),
        inTime(POST_PATIENCE, url, over.signal),
      ]);
    } catch (error) {
      answered.then(
        (session) => session.delete(),
        () => {},
      );
      throw error;
    } finally {
      over.abort();
    }
  }

  /**
   * @param {Response} response
   * @param {string | undefined} token
   * @param {boolean} counterOffer
   */
  static async #read(response, token, counterOffer) {
    const { status, headers } = response;
    const location = headers.get('location');
    const isSdp = (headers.get('content-type') ?? '').toLowerCase().startsWith(SDP);
    const good = status === 201 || (status === 406 && counterOffer && isSdp);
    if (!good) throw await refusal(response);
    // Nobody could end it, and each further try would leave one more.
    if (location === null)
      throw new Refused('The server names no session that this page may see.', { status });
    return new Session(response, { location, token, sdp: await bodyOf(response) });
  }

  /** The STUN and TURN servers that came with the answer. */
  get iceServers() {
    return iceServers(this.#links);
  }

  /** Whether the server takes PATCHes of ICE: an entity tag says so (RFC 9725 section 4.3.1). */
  get canPatch() {
    return this.#etag !== undefined;
  }

  /**
   * The link of an extension.
   * @param {string} rel
   */
  link(rel) {
    return this.#links.find((link) => link.rel.includes(rel));
  }

  /**
   * Answers the server's counter-offer.
   * @param {string} answer SDP
   * @param {AbortSignal} signal
   */
  async answer(answer, signal) {
    await this.#call(this.url, {
      method: 'PATCH',
      headers: { 'Content-Type': SDP, ...this.#ifMatch() },
      body: answer,
      signal,
    });
  }

  /**
   * Tells more candidates of the present ICE session. Also a question whether the session is still there.
   * @param {string} fragment
   * @param {AbortSignal} signal
   */
  async trickle(fragment, signal) {
    const headers = { 'Content-Type': FRAGMENT, ...this.#ifMatch() };
    await this.#call(this.url, { method: 'PATCH', headers, body: fragment, signal });
  }

  /**
   * Restarts ICE (RFC 9725 section 4.3.3).
   * @param {string} fragment our new credentials
   * @param {AbortSignal} signal
   * @returns {Promise<string>} the server's fragment
   */
  async restart(fragment, signal) {
    // Whatever was the last tag: the answer to an earlier restart may have been lost.
    const headers = { 'Content-Type': FRAGMENT, 'If-Match': '*' };
    const response = await this.#call(this.url, { method: 'PATCH', headers, body: fragment, signal });
    if (response.status !== 200) throw await refusal(response);
    const answer = await bodyOf(response);
    this.#etag = response.headers.get('etag') ?? this.#etag;
    return answer;
  }

  /**
   * Sends JSON to a resource beside the session.
   * @param {string} url
   * @param {unknown} body
   * @param {AbortSignal} signal
   */
  post(url, body, signal) {
    const headers = { 'Content-Type': 'application/json' };
    return this.#call(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
  }

  /**
   * Reads a resource beside the session; its body may have no end.
   * @param {string} url
   * @param {Record<string, string>} headers
   * @param {AbortSignal} signal
   */
  get(url, headers, signal) {
    return this.#call(url, { method: 'GET', headers, signal, patience: undefined });
  }

  /**
   * Ends it on its node; works while the page goes away, too. Idempotent, and never fails: where it does not get through,
   * the node notices by itself that nobody is there.
   * @returns {Promise<void>}
   */
  delete() {
    this.#deleted ??= send(this.url, {
      method: 'DELETE',
      token: this.#token,
      keepalive: true,
      patience: PATIENCE,
    }).then(
      () => {},
      () => {},
    );
    return this.#deleted;
  }

  /** @returns {Record<string, string>} */
  #ifMatch() {
    return this.#etag === undefined ? {} : { 'If-Match': this.#etag };
  }

  /**
   * @param {string} url
   * @param {Omit<Request, 'token'>} request
   */
  async #call(url, request) {
    const response = await send(url, { patience: PATIENCE, ...request, token: this.#token });
    if (!response.ok) throw await refusal(response);
    return response;
  }
}

/**
 * @typedef {object} Request
 * @property {string} method
 * @property {string | undefined} token
 * @property {Record<string, string>} [headers]
 * @property {string} [body]
 * @property {boolean} [keepalive]
 * @property {AbortSignal} [signal]
 * @property {number | undefined} [patience] ms to the end of the answer's body
 */

/**
 * @param {string} url
 * @param {Request} request
 * @returns {Promise<Response>}
 * @throws {Unreachable}
 * @throws the signal's reason
 */
async function send(url, { token, headers = {}, signal, patience, ...init }) {
  const signals = [signal, patience === undefined ? undefined : AbortSignal.timeout(patience)];
  try {
    return await fetch(url, {
      ...init,
      headers: { ...headers, ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
      signal: AbortSignal.any(signals.filter((given) => given !== undefined)),
    });
  } catch (cause) {
    signal?.throwIfAborted();
    throw unreachable(url, cause, cause instanceof DOMException && cause.name === 'TimeoutError');
  }
}

/**
 * @param {Response} response
 * @returns {Promise<string>}
 * @throws {Unreachable}
 */
async function bodyOf(response) {
  try {
    return await response.text();
  } catch (cause) {
    throw unreachable(response.url, cause, false);
  }
}

/**
 * @param {string} url
 * @param {unknown} cause
 * @param {boolean} timedOut
 */
const unreachable = (url, cause, timedOut) =>
  new Unreachable(`${new URL(url).host} does not answer.`, { cause, timedOut });

/**
 * @param {AbortSignal} signal
 * @returns {Promise<never>}
 */
function aborted(signal) {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/**
 * Fails after so long.
 * @param {number} patience ms
 * @param {string} url
 * @param {AbortSignal} signal nobody waits any more
 * @returns {Promise<never>}
 */
function inTime(patience, url, signal) {
  return new Promise((_, reject) => {
    const timer = setTimeout(() => reject(unreachable(url, undefined, true)), patience);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}
