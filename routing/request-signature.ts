// Signatures on calls to a node's control server: whoever has the cluster key, once, within a short time.

import {
  createHash,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { LRUCache } from 'lru-cache';

/** How far the signer's clock may be from the node's, in ms. */
const WINDOW = 30_000;
/** How many nonces are remembered: the calls of one window at far more than a node can take. */
const NONCES = 200_000;

export const SIGNATURE_HEADERS = {
  time: 'x-meridian-time',
  nonce: 'x-meridian-nonce',
  signature: 'x-meridian-signature',
} as const;

export interface SignedParts {
  method: string;
  /** Path and query. */
  path: string;
  body: string;
  /** The start of the node that the call is meant for: a call to a node that restarted meanwhile is refused. */
  incarnation: string;
}

/** Who signs more than once has a KeyObject: to make a key ready takes longer than to sign. */
type SigningKey = KeyObject | Uint8Array;

const mac = (
  key: SigningKey,
  { method, path, body, incarnation }: SignedParts,
  time: string,
  nonce: string,
): Buffer =>
  createHmac('sha256', key)
    .update(
      [method, path, createHash('sha256').update(body).digest('hex'), time, nonce, incarnation].join('\n'),
    )
    .digest();

/** The headers that sign a call. */
export function signRequest(key: SigningKey, parts: SignedParts): Record<string, string> {
  const time = String(Date.now());
  const nonce = randomBytes(16).toString('base64url');
  return {
    [SIGNATURE_HEADERS.time]: time,
    [SIGNATURE_HEADERS.nonce]: nonce,
    [SIGNATURE_HEADERS.signature]: mac(key, parts, time, nonce).toString('base64url'),
  };
}

/** Checks signatures and refuses a nonce that was used before. One per node process. */
export class SignatureVerifier {
  readonly #key: KeyObject;
  readonly #seen = new LRUCache<string, true>({ max: NONCES, ttl: 2 * WINDOW });
  #forgotAt = Date.now();

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key);
  }

  /** @returns why the call is refused, or undefined when it is good. */
  refusal(
    parts: SignedParts,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): string | undefined {
    const [time, nonce, signature] = [
      headers[SIGNATURE_HEADERS.time],
      headers[SIGNATURE_HEADERS.nonce],
      headers[SIGNATURE_HEADERS.signature],
    ];
    if (typeof time !== 'string' || typeof nonce !== 'string' || typeof signature !== 'string')
      return 'not signed';
    if (!(Math.abs(Date.now() - Number(time)) <= WINDOW))
      return 'signed too long ago, or by a clock that is off';
    const given = Buffer.from(signature, 'base64url');
    const expected = mac(this.#key, parts, time, nonce);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      return 'signed with another key, or for another request or incarnation';
    }
    if (this.#seen.has(nonce)) return 'seen before';
    this.#forget();
    this.#seen.set(nonce, true);
    return undefined;
  }

  /** By itself the cache would keep them until it is full. */
  #forget(): void {
    const now = Date.now();
    if (Math.abs(now - this.#forgotAt) < WINDOW) return;
    this.#forgotAt = now;
    this.#seen.purgeStale();
  }
}
