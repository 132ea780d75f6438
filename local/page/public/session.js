// A WHIP or WHEP session: offer, POST, answer, and the DELETE at its end.
// @ts-check

/** How long candidates are gathered before the offer is sent with those there are, in ms. */
const GATHERING = 1_000;

/** A first viewer waits while its region fetches the stream, in ms. */
const POST_PATIENCE = 10_000;
const DELETE_PATIENCE = 5_000;

/** The connection comes and goes: this long without it counts as its end, in ms. */
const DISCONNECTED = 4_000;

/** The region said no. The message is the answer's own sentence. */
export class Refused extends Error {
  /**
   * @param {string} message
   * @param {{ status: number, code: string, retryAfter: number | undefined }} answer `retryAfter` in seconds
   */
  constructor(message, { status, code, retryAfter }) {
    super(message);
    this.name = 'Refused';
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** The region did not answer at all. */
export class Unreachable extends Error {}

/**
 * @typedef {object} Endpoint
 * @property {string} region for messages
 * @property {string} url
 * @property {string} [token]
 */

/**
 * Offers what the connection has and takes the answer.
 * @param {RTCPeerConnection} peer
 * @param {Endpoint} endpoint
 * @returns {Promise<string>} the session's URL
 * @throws {Refused}
 * @throws {Unreachable}
 */
export async function openSession(peer, { region, url, token }) {
  await peer.setLocalDescription();
  await gathered(peer);
  /** @type {Response} */
  let response;
  let body = '';
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/sdp', ...authorization(token) },
      body: peer.localDescription?.sdp ?? '',
      signal: AbortSignal.timeout(POST_PATIENCE),
    });
    body = await response.text();
  } catch {
    throw new Unreachable(`${region} does not answer.`);
  }
  const location = response.headers.get('location');
  if (response.status !== 201 || location === null) throw refusal(region, response, body);
  const session = new URL(location, response.url).href;
  try {
    await peer.setRemoteDescription({ type: 'answer', sdp: body });
  } catch (error) {
    closeSession(session, token);
    throw error;
  }
  return session;
}

/**
 * Frees the session on its node. Works while the page goes away, too; if it does not get through, the node notices by
 * itself that nobody is there.
 * @param {string} session
 * @param {string} [token]
 */
export function closeSession(session, token) {
  fetch(session, {
    method: 'DELETE',
    headers: authorization(token),
    keepalive: true,
    signal: AbortSignal.timeout(DELETE_PATIENCE),
  }).catch(() => {});
}

/**
 * Resolves when the connection is over: it failed, stayed away, or the node closed it. Not when `signal` aborts.
 * @param {RTCPeerConnection} peer
 * @param {{ signal: AbortSignal, onChange: (state: RTCPeerConnectionState) => void }} options
 * @returns {Promise<void>}
 */
export function connectionEnd(peer, { signal, onChange }) {
  const { promise, resolve } = Promise.withResolvers();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let away;
  const look = () => {
    clearTimeout(away);
    if (signal.aborted) return;
    const state = peer.connectionState;
    onChange(state);
    if (state === 'failed' || state === 'closed') resolve(undefined);
    if (state === 'disconnected') away = setTimeout(resolve, DISCONNECTED);
  };
  peer.addEventListener('connectionstatechange', look, { signal });
  for (const { sender, receiver } of peer.getTransceivers()) {
    // A node that ends a session says so in DTLS; the connection's own state tells it much later.
    const transport = sender.transport ?? receiver.transport;
    transport?.addEventListener('statechange', () => transport.state === 'closed' && resolve(undefined), {
      signal,
    });
  }
  signal.addEventListener('abort', () => clearTimeout(away), { once: true });
  look();
  return promise;
}

/**
 * @param {RTCPeerConnection} peer
 * @returns {Promise<void>}
 */
function gathered(peer) {
  const { promise, resolve } = Promise.withResolvers();
  const done = new AbortController();
  const timer = setTimeout(resolve, GATHERING);
  const look = () => peer.iceGatheringState === 'complete' && resolve(undefined);
  peer.addEventListener('icegatheringstatechange', look, { signal: done.signal });
  look();
  return promise.finally(() => {
    clearTimeout(timer);
    done.abort();
  });
}

/**
 * @param {string} region
 * @param {Response} response
 * @param {string} body `application/problem+json`
 */
function refusal(region, { status, headers }, body) {
  /** @type {{ type?: unknown, detail?: unknown } | null} */
  let problem = null;
  try {
    problem = JSON.parse(body);
  } catch {
    // Not a problem document: the status has to do.
  }
  const detail =
    typeof problem?.detail === 'string' ? asSentence(problem.detail) : `${region} answered ${status}.`;
  const code = String(problem?.type ?? '').replace('urn:meridian:problem:', '');
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const retryAfter = Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
  return new Refused(detail, { status, code, retryAfter });
}

/** @param {string} text */
const asSentence = (text) =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

/**
 * @param {string | undefined} token
 * @returns {Record<string, string>}
 */
const authorization = (token) => (token === undefined ? {} : { Authorization: `Bearer ${token}` });
