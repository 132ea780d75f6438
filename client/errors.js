// What can go wrong between a page and a WHIP or WHEP server, and which of it is worth another try.
// @ts-check

import { LONGEST } from './back-off.js';

const TYPE = 'urn:meridian:problem:';

/** The server said no. The message is a sentence for a person: the problem document's own where there is one (RFC 9457). */
export class Refused extends Error {
  /**
   * @param {string} message
   * @param {{ status: number, code?: string, retryAfter?: number | undefined }} answer
   */
  constructor(message, { status, code = '', retryAfter }) {
    super(message);
    this.name = 'Refused';
    /** HTTP status. */
    this.status = status;
    /** Of a Meridian problem, as `stream-not-live`; else the problem's type, or nothing. */
    this.code = code;
    /** When the server wants to be asked again, in ms from now. */
    this.retryAfter = retryAfter;
  }

  /**
   * Whether the same request may be taken later: the server says when, is busy, has a conflict that may pass, or failed.
   * By the classes of codes, for an unknown one means what its x00 means (RFC 9110 section 15).
   */
  get isPassing() {
    return this.retryAfter !== undefined || this.status === 409 || this.status === 429 || this.status >= 500;
  }
}

/** No answer came: no network, no server, or none in time. */
export class Unreachable extends Error {
  /**
   * @param {string} message
   * @param {{ cause?: unknown, timedOut?: boolean }} [options]
   */
  constructor(message, { cause, timedOut = false } = {}) {
    super(message, { cause });
    this.name = 'Unreachable';
    /** It took too long; else the browser could not send the request, or was not allowed to (CORS). */
    this.timedOut = timedOut;
  }
}

/**
 * Reads an answer that is none of the good ones.
 * @param {Response} response its body unread
 * @returns {Promise<Refused>}
 */
export async function refusal(response) {
  const { status, headers } = response;
  const { type, detail } = problem(await response.text().catch(() => ''));
  const message = typeof detail === 'string' ? sentence(detail) : `${hostOf(response)} answered ${status}.`;
  const code = typeof type === 'string' ? type.replace(TYPE, '') : '';
  return new Refused(message, { status, code, retryAfter: retryAfter(headers.get('retry-after')) });
}

/**
 * @param {string | null} value seconds or an HTTP date (RFC 9110 section 10.2.3)
 * @param {number} [now] ms since 1970
 * @returns {number | undefined} ms from now, an hour at the most
 */
export function retryAfter(value, now = Date.now()) {
  const isSeconds = /^\s*\d+\s*$/.test(value ?? '');
  const isDate = /^\s*[A-Za-z]{3}/.test(value ?? '');
  const wait = isSeconds ? Number(value) * 1_000 : isDate ? Date.parse(value ?? '') - now : Number.NaN;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(0, wait), LONGEST);
}

/**
 * @param {string} body
 * @returns {{ type?: unknown, detail?: unknown }} empty where it is no problem document
 */
function problem(body) {
  try {
    const parsed = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}

/** @param {Response} response */
const hostOf = ({ url }) => (URL.canParse(url) ? new URL(url).host : 'the server');

/** @param {string} text */
const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
