// Tokens: unsigned, signed by others, for others, cut, changed by a bit, huge, and with claims that are none.

import { createHmac, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { offerText } from '#test/unit/media-fleet/sdp/offers.ts';
import { check } from './answers.ts';
import type { Ask } from './client.ts';
import type { Scene, Use } from './scene.ts';
import { opened, openSession, SDP } from './sessions.ts';
import { hostileText, type Repeated, repeat, repeated } from './texts.ts';

/** One that opens nothing, except `good`. */
type Token =
  | { kind: 'good' | 'none' }
  | { kind: 'text'; text: string }
  | { kind: 'long'; by: Repeated }
  /** Of another algorithm than HS256, or of none; the signature is as good as it can be. */
  | { kind: 'algorithm'; alg: string; signed: boolean }
  /** A header of JOSE that no token of ours has. */
  | { kind: 'header'; name: string; value: fc.JsonValue }
  | { kind: 'other-key'; key: string }
  /** Our signature, and a claim that does not hold. */
  | { kind: 'claim'; name: string; value: fc.JsonValue }
  /** A payload that is no object of claims. */
  | { kind: 'payload'; text: string }
  | { kind: 'cut' | 'flip' | 'twice'; at: number };

/** Where the token stands. */
type Place = 'header' | 'query' | 'both' | 'scheme';

export interface TokenCase {
  region: number;
  /** A publisher's POST, a viewer's of a stream that asks for tokens, or a PATCH or DELETE of a session of either. */
  at: 'whip' | 'whep' | 'patch' | 'delete';
  place: Place;
  token: Token;
}

/** What is never right in a claim, whatever the others say. */
const CLAIMS: Readonly<Record<string, readonly fc.JsonValue[]>> = {
  jti: ['', 1, null, {}, ['a'], 'x'.repeat(65)],
  iss: ['', 'other', 1, null, ['meridian']],
  aud: ['', 'other', 1, null, [], ['other'], {}, 'PUBLISH'],
  stream: [
    '',
    1,
    null,
    [],
    ['*'],
    {},
    '**',
    '*\u0000',
    'another-stream',
    '../x',
    'x'.repeat(129),
    { toString: 1 },
  ],
  exp: [0, -1, 1, 'soon', '9999999999', null, {}, [], true],
  nbf: [9_999_999_999, 'x', null, {}],
  iat: ['x', {}],
  viewing: ['', 'x', 1, null, ['open']],
  priority: [-1, 10, 1.5, '1', null, {}, 1e300],
  takeover: ['', 'x', null, 1],
  region: ['', '..', 'http://127.0.0.1', 1, null, {}, 'us-east-1/../..', 'x'.repeat(10_000)],
};

const token: fc.Arbitrary<Token> = fc.oneof(
  fc.record({ kind: fc.constantFrom('good' as const, 'none' as const) }),
  fc.record({
    kind: fc.constant('text' as const),
    text: fc.oneof(hostileText, fc.constantFrom('a.b.c', '..', '....', 'eyJ.e30.')),
  }),
  fc.record({ kind: fc.constant('long' as const), by: repeated(30_000) }),
  fc.record({
    kind: fc.constant('algorithm' as const),
    alg: fc.constantFrom(
      'none',
      'None',
      'NONE',
      '',
      'HS384',
      'HS512',
      'RS256',
      'ES256',
      'EdDSA',
      'dir',
      'hs256',
      'A256GCM',
    ),
    signed: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('header' as const),
    name: fc.constantFrom('b64', 'crit', 'alg'),
    value: fc.oneof(
      fc.constantFrom(false, ['b64'], ['exp'], [], null, 1, {}, ['HS256']),
      fc.jsonValue({ maxDepth: 2 }),
    ),
  }),
  fc.record({ kind: fc.constant('other-key' as const), key: fc.string({ maxLength: 64 }) }),
  fc
    .constantFrom(
      ...Object.entries(CLAIMS).flatMap(([name, values]) => values.map((value) => ({ name, value }))),
    )
    .map(({ name, value }) => ({ kind: 'claim' as const, name, value })),
  fc.record({
    kind: fc.constant('payload' as const),
    text: fc.oneof(
      fc.constantFrom('', 'null', '1', '"x"', '[]', '{}', '{', '{"exp":9999999999}'),
      hostileText,
      fc.json(),
    ),
  }),
  fc.record({ kind: fc.constantFrom('cut' as const, 'flip' as const, 'twice' as const), at: fc.nat(4_000) }),
);

export const tokenCases: fc.Arbitrary<TokenCase> = fc.record({
  region: fc.nat(2),
  at: fc.constantFrom('whip' as const, 'whep' as const, 'patch' as const, 'delete' as const),
  place: fc.constantFrom('header' as const, 'query' as const, 'both' as const, 'scheme' as const),
  token,
});

interface Made {
  text: string | undefined;
  /** Whether it opens what it is for. */
  isGood: boolean;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64url');

function make(
  wanted: Token,
  { key, use, stream, id }: { key: Uint8Array; use: Use; stream: string; id: string },
): Made {
  const claims = {
    iss: 'meridian',
    aud: use === 'whip' ? 'publish' : 'subscribe',
    jti: id,
    stream,
    iat: Math.floor(Date.now() / 1000),
    exp: Math.floor(Date.now() / 1000) + 600,
  };
  const signed = (header: object, payload: string, by: Uint8Array | string = key, hash = 'sha256') => {
    const text = `${base64(JSON.stringify(header))}.${base64(payload)}`;
    return `${text}.${createHmac(hash, by).update(text).digest('base64url')}`;
  };
  const good = signed({ alg: 'HS256' }, JSON.stringify(claims));
  const bad = (text: string): Made => ({ text, isGood: false });
  switch (wanted.kind) {
    case 'good':
      return { text: good, isGood: true };
    case 'none':
      return { text: undefined, isGood: false };
    case 'text':
      return bad(wanted.text);
    case 'long':
      return bad(repeat(wanted.by));
    case 'algorithm': {
      const hash = wanted.alg === 'HS512' ? 'sha512' : wanted.alg === 'HS384' ? 'sha384' : 'sha256';
      const text = signed({ alg: wanted.alg }, JSON.stringify(claims), key, hash);
      return bad(wanted.signed ? text : text.slice(0, text.lastIndexOf('.') + 1));
    }
    case 'header': {
      const header = { alg: 'HS256', [wanted.name]: wanted.value };
      const isHarmless = wanted.name === 'b64' || header.alg === 'HS256';
      // Alone, b64 is not looked at (RFC 7797 section 6: it must be critical); HS256 is what it was.
      return { text: signed(header, JSON.stringify(claims)), isGood: wanted.name !== 'crit' && isHarmless };
    }
    case 'other-key':
      return bad(signed({ alg: 'HS256' }, JSON.stringify(claims), wanted.key));
    case 'claim':
      return bad(signed({ alg: 'HS256' }, JSON.stringify({ ...claims, [wanted.name]: wanted.value })));
    case 'payload':
      return bad(signed({ alg: 'HS256' }, wanted.text));
    case 'cut':
      return bad(good.slice(0, wanted.at % good.length));
    case 'flip': {
      const text = flipped(good, wanted.at);
      return { text, isGood: meaning(text) === meaning(good) };
    }
    case 'twice':
      return bad(`${good}.${good}`);
  }
}

/** One bit of one character changed, as far as a URL can carry the result. */
export function flipped(text: string, at: number): string {
  const index = Math.floor(at / 7) % text.length;
  const character = String.fromCharCode(text.charCodeAt(index) ^ (1 << (at % 7)));
  return text.slice(0, index) + (/[!-~]/.test(character) ? character : '!') + text.slice(index + 1);
}

/**
 * What it says: the last character of a signature, or of an encrypted part, may have bits that stand for nothing. The
 * two parts before are covered as the text that they are.
 */
export const meaning = (text: string): string =>
  text
    .split('.')
    .map((part, index) =>
      index >= 2 && /^[\w-]*$/.test(part) ? Buffer.from(part, 'base64url').toString('hex') : part,
    )
    .join('.');

/** @throws Error that says what was wrong with an answer. */
export async function attemptToken(
  scene: Scene,
  { region, at, place, token: wanted }: TokenCase,
): Promise<void> {
  const use = at === 'whep' ? 'whep' : 'whip';
  const stream = use === 'whep' ? scene.closedStream : scene.newStream();
  const { text, isGood } = make(wanted, { key: scene.tokenKey, use, stream, id: randomUUID() });
  const session =
    at === 'patch' || at === 'delete'
      ? await openSession(scene, {
          entry: 'valid',
          use,
          region,
          stream,
          offer: offerText('obs-publisher'),
          statuses: [201],
        })
      : undefined;
  const { query, authorization } = placed(text, place);
  const ask: Ask = {
    entry: 'tokens',
    api: scene.api(region),
    method: at === 'patch' ? 'PATCH' : at === 'delete' ? 'DELETE' : 'POST',
    path: (session?.path ?? `/${use}/${stream}`) + query,
    headers: { ...(at === 'delete' ? {} : SDP), ...(authorization === undefined ? {} : { authorization }) },
    body: at === 'delete' ? '' : offerText(use === 'whip' ? 'obs-publisher' : 'chromium-viewer'),
  };
  const answer = await scene.client.send(ask);
  // `scheme` makes another kind of credentials of it; what else it may come to is the other entries' matter.
  const opens = (isGood || isOnlyExpired(wanted, at)) && place !== 'scheme';
  const taken = { whip: 201, whep: 201, patch: 415, delete: 200 }[at];
  check(ask, answer, {
    statuses: [opens ? taken : 401],
    secrets: text === undefined ? [] : [text, encodeURIComponent(text)],
  });
  await opened(scene, ask, answer)?.end();
  if (session !== undefined && answer.status !== 200) await session.end();
}

/** A token's expiry ends new starts, not what runs. */
const isOnlyExpired = (wanted: Token, at: TokenCase['at']): boolean =>
  wanted.kind === 'claim' &&
  wanted.name === 'exp' &&
  typeof wanted.value === 'number' &&
  (at === 'patch' || at === 'delete');

function placed(text: string | undefined, place: Place): { query: string; authorization?: string } {
  if (text === undefined) return { query: '' };
  const query = `?token=${encodeURIComponent(text.toWellFormed())}`;
  // As a header's value can be (RFC 9110 section 5.5).
  const value = text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '');
  if (place === 'query') return { query };
  if (place === 'scheme') return { query: '', authorization: `Basic ${value}` };
  return { query: place === 'both' ? query : '', authorization: `Bearer ${value}` };
}
