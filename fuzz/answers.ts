// What every answer must be, whatever was asked: no fault of ours, an error in its one form, an answer that is SDP.

import sdpTransform from 'sdp-transform';
import { problemBody } from '#routing/problem.ts';
import { type Answer, type Ask, isTooLongForHttp } from './client.ts';

/** What each status may say; a code is stable across releases (docs/api.md), so another one is a fault. */
const CODES: Readonly<Record<number, readonly string[]>> = {
  400: ['malformed-sdp', 'invalid-request'],
  401: ['unauthorized'],
  404: ['unknown-session'],
  405: ['method-not-allowed'],
  409: ['stream-not-live', 'stream-has-publisher', 'nothing-offered'],
  412: ['wrong-entity-tag'],
  413: ['too-large'],
  415: ['unsupported-media-type'],
  422: ['unusable-sdp', 'no-common-codec', 'unknown-region'],
  428: ['precondition-required'],
};
/** The header that must come with a status. */
const BESIDE: Readonly<Record<number, string>> = {
  401: 'www-authenticate',
  405: 'allow',
  415: 'accept',
};
/** Longest sentence, in characters: a name of ours in it may have 128, a word of the caller's is cut short. */
const LONGEST_DETAIL = 500;

/** Paths that lead to a function; for all others API Gateway answers itself. */
const OURS = /^\/wh[ie]p\/[^/]+(\/[^/]+)?$/;
/** What API Gateway, here the gateway, may say where a request never reaches a function. */
const GATEWAY = new Set([400, 404, 413, 431]);
const NO_BODY = new Set([204, 304]);

export interface Expected {
  /** The statuses that it may have. */
  statuses: readonly number[];
  /** What must not be said back: tokens, and the tickets of sessions. */
  secrets?: readonly string[];
}

/** @throws Error that says what is wrong with the answer. */
export function check(ask: Ask, answer: Answer, { statuses, secrets = [] }: Expected): void {
  const { status, headers, body } = answer;
  const wrong = (what: string): never => {
    throw new Error(`${what}\n${described(ask, answer)}`);
  };
  if (isFromGateway(ask, answer)) return;
  if (status >= 500) wrong(`a ${status}`);
  if (!statuses.includes(status)) wrong(`${status} is not among ${statuses.join(', ')}`);
  if (headers['access-control-allow-origin'] !== '*') wrong('no CORS header');
  if (NO_BODY.has(status) || ask.method === 'HEAD') {
    if (body !== '') wrong('a body where there can be none');
    return;
  }
  for (const secret of secrets) {
    if (status >= 400 && saysBack(body, secret)) wrong('a secret is said back');
  }
  if (status < 400 || (status === 406 && headers['content-type'] === 'application/sdp')) return;

  if (headers['content-type'] !== 'application/problem+json') wrong('not problem details');
  if (headers['cache-control'] !== 'no-store') wrong('an error that may be kept');
  const problem = problemBody.parse(JSON.parse(body));
  const code = problem.type.replace('urn:meridian:problem:', '');
  if (problem.status !== status || !CODES[status]?.includes(code))
    wrong(`a ${status} of the type ${problem.type}`);
  const { detail } = problem;
  if (detail.length > LONGEST_DETAIL || !/^\P{Cc}{10,}$/u.test(detail)) wrong('not a sentence of a line');
  if (/\bat \S+ \(|node:|\.ts\b|Error:/.test(detail)) wrong('the inside shows');
  const beside = BESIDE[status];
  if (beside !== undefined && headers[beside] === undefined) wrong(`no ${beside}`);
  if (code.startsWith('stream-') && !(Number(headers['retry-after']) > 0)) wrong('no Retry-After');
}

/** Characters of a secret that are enough to know it by; shorter ones are words that may stand anywhere. */
const TELLING = 24;

/** Whether a piece of the secret, as long as two that tell, stands in the text. */
function saysBack(text: string, secret: string): boolean {
  for (let at = 0; at + TELLING <= secret.length; at += TELLING)
    if (text.includes(secret.slice(at, at + TELLING))) return true;
  return false;
}

/** Requests that API Gateway refuses by itself: by their path, or their length. */
function isFromGateway(ask: Ask, { status, headers, body }: Answer): boolean {
  if (!GATEWAY.has(status) || headers['content-type'] === 'application/problem+json') return false;
  if (isTooLongForHttp(ask)) return true;
  const canParse = URL.canParse(ask.path, 'http://gateway');
  if (canParse && OURS.test(new URL(ask.path, 'http://gateway').pathname)) return false;
  return ask.method === 'HEAD' || /^\{"message":"[\w ]+"\}$/.test(body);
}

/** An answer to an offer (201), or an offer of ours (406). */
const SDP = /^v=0\r\n([a-z]=[^\r\n\0]*\r\n)+$/;
/** Quoted, visible, short (RFC 9110 section 8.8.3). */
const ENTITY_TAG = /^"[\w-]{8,64}"$/;

/**
 * What a session that was opened must say.
 * @param offer what was posted; without it the body is an offer of ours.
 * @throws Error that says what is wrong with it.
 */
export function checkOpened(ask: Ask, answer: Answer, offer: string | undefined): void {
  const { headers, body } = answer;
  const wrong = (what: string): never => {
    throw new Error(`${what}\n${described(ask, answer)}`);
  };
  if (headers['content-type'] !== 'application/sdp') wrong('not SDP');
  if (!ENTITY_TAG.test(headers.etag ?? '')) wrong(`not an entity tag: ${headers.etag}`);
  const location = headers.location ?? '';
  if (!URL.canParse(location) || new URL(location).origin !== new URL(ask.api).origin)
    wrong(`not a session of this region: ${location}`);
  if (!SDP.test(body)) wrong('not SDP');
  if (offer === undefined) return;

  const [offered, answered] = [sdpTransform.parse(offer).media, sdpTransform.parse(body).media];
  if (offered.length !== answered.length) wrong(`${answered.length} sections for ${offered.length}`);
  for (const [index, section] of answered.entries()) {
    const asked = offered[index];
    if (asked === undefined || asked.type !== section.type) wrong(`section ${index} is of another kind`);
    if (asked?.mid !== undefined && String(asked.mid) !== String(section.mid))
      wrong(`section ${index} has another mid`);
    const known = String(asked?.payloads).split(' ');
    const unknown = String(section.payloads)
      .split(' ')
      .find((payloadType) => !known.includes(payloadType));
    if (unknown !== undefined) wrong(`section ${index} has payload type ${unknown}, which was not offered`);
  }
}

/** Longest that a part of a request is shown in a report, in characters. */
const SHOWN = 1_500;

export function described({ api, method, path, headers = {}, body = '' }: Ask, answer: Answer): string {
  const short = (text: string) =>
    text.length > SHOWN ? `${text.slice(0, SHOWN)}… (${text.length} characters)` : text;
  return [
    `  asked: ${method} ${api}${short(path)}`,
    `  with: ${short(JSON.stringify(headers))}`,
    `  and: ${short(JSON.stringify(body.toString()))}`,
    `  answered: ${answer.status} ${short(JSON.stringify(answer.headers))}`,
    `  and: ${short(JSON.stringify(answer.body))}`,
  ].join('\n');
}
