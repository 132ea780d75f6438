// Publish and subscribe tokens: what is taken, and what is refused with which words.

import fc from 'fast-check';
import { SignJWT, UnsecuredJWT } from 'jose';
import { expect, it } from 'vitest';
import { Problem } from '#routing/problem.ts';
import { type NewToken, signToken, type TokenCheck, verifyToken } from '#routing/tokens.ts';

const key = new Uint8Array(32).fill(7);
const now = () => Math.floor(Date.now() / 1_000);
const publish: TokenCheck = { use: 'publish', stream: 'concert' };

const sign = (changes: Partial<NewToken> = {}, signedWith = key) =>
  signToken(signedWith, {
    jti: 'token-1',
    aud: 'publish',
    stream: 'concert',
    expiresAt: now() + 60,
    ...changes,
  });

/** The refusal of a token. */
async function refusal(token: string | undefined, check = publish): Promise<Problem> {
  const outcome = await verifyToken(key, token, check).catch((error: unknown) => error);
  if (outcome instanceof Problem) return outcome;
  throw new Error('the token was not refused with a Problem', { cause: outcome });
}

const challenge = (error?: string) => ({
  'WWW-Authenticate': `Bearer realm="meridian"${error ? `, error="${error}"` : ''}`,
});

it('a token says for what it was signed, with the defaults filled in', async () => {
  expect(await verifyToken(key, await sign(), publish)).toEqual({
    jti: 'token-1',
    aud: 'publish',
    stream: 'concert',
    viewing: 'open',
    priority: 0,
    takeover: 'same-token',
  });
});

it('carries what a publish token settles', async () => {
  const settings = { viewing: 'token', region: 'eu-west-1', priority: 3 } as const;
  expect(await verifyToken(key, await sign(settings), publish)).toMatchObject(settings);
});

it('a token for * is good for every stream', async () => {
  const token = await sign({ stream: '*' });
  expect(await verifyToken(key, token, { ...publish, stream: 'anything' })).toMatchObject({ stream: '*' });
});

it('no token is a 401 that says which kind is needed, and how', async () => {
  const { status, message, headers } = await refusal(undefined, { use: 'subscribe', stream: 'concert' });
  expect(status).toBe(401);
  expect(message).toContain('subscribe token');
  expect(headers, 'no error code without credentials (RFC 6750 section 3.1)').toEqual(challenge());
});

it('an expired token is refused, with 5 s for clocks that differ', async () => {
  expect(await verifyToken(key, await sign({ expiresAt: now() - 3 }), publish)).toMatchObject({
    jti: 'token-1',
  });
  const { message, headers } = await refusal(await sign({ expiresAt: now() - 6 }));
  expect(message).toContain('expired');
  expect(headers).toEqual(challenge('invalid_token'));
});

it('an expired token still ends or patches the session that it started', async () => {
  const token = await sign({ expiresAt: now() - 86_400 });
  const check = { ...publish, mustBeFresh: false };
  expect(await verifyToken(key, token, check)).toMatchObject({ jti: 'token-1' });
  expect((await refusal(token, { ...check, stream: 'other' })).message).toContain('another stream');
  expect((await refusal(token, { ...check, use: 'subscribe' })).message).toContain('not a subscribe token');
  expect((await refusal(await sign({ expiresAt: 1 }, new Uint8Array(32)), check)).status).toBe(401);
});

it('a token for another use is refused', async () => {
  const subscribe = { use: 'subscribe', stream: 'concert' } as const;
  expect((await refusal(await sign(), subscribe)).message).toContain('not a subscribe token');
  expect((await refusal(await sign({ aud: 'subscribe' }))).message).toContain('not a publish token');
});

it('a token for another stream is refused for its scope', async () => {
  const { message, headers } = await refusal(await sign({ stream: 'Concert' }));
  expect(message).toContain('another stream');
  expect(headers).toEqual(challenge('insufficient_scope'));
});

const payload = () => ({
  aud: 'publish',
  stream: 'concert',
  jti: 'token-1',
  iss: 'meridian',
  exp: now() + 60,
});
const hs256 = (claims: Record<string, unknown>) =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(key);

it.each([
  ['signed with another key', () => sign({}, new Uint8Array(32).fill(8))],
  ['of algorithm none', async () => new UnsecuredJWT(payload()).encode()],
  [
    'of another algorithm with the same key',
    () => new SignJWT(payload()).setProtectedHeader({ alg: 'HS512' }).sign(key),
  ],
  ['of another issuer', () => hs256({ ...payload(), iss: 'someone-else' })],
  ['without an expiry', () => hs256({ ...payload(), exp: undefined })],
  ['without an id', () => hs256({ ...payload(), jti: undefined })],
  ['without a stream', () => hs256({ ...payload(), stream: undefined })],
  ['for a stream that is no name', () => hs256({ ...payload(), stream: 'a/b' })],
  ['of a priority out of range', () => hs256({ ...payload(), priority: 10 })],
])('a token %s is refused', async (_, make) => {
  const { status, headers } = await refusal(await make());
  expect(status).toBe(401);
  expect(headers).toEqual(challenge('invalid_token'));
});

it('a token with any character changed is refused', async () => {
  const token = await sign();
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.';
  await fc.assert(
    fc.asyncProperty(fc.nat(token.length - 1), fc.constantFrom(...alphabet), async (at, letter) => {
      const changed = `${token.slice(0, at)}${letter}${token.slice(at + 1)}`;
      // The last character of each part has spare bits, which decode to the same bytes.
      const same = changed
        .split('.')
        .every((part, n) => decoded(part) === decoded(token.split('.')[n] ?? ''));
      if (!same) expect((await refusal(changed)).status).toBe(401);
    }),
  );
});
const decoded = (part: string) => Buffer.from(part, 'base64url').toString('hex');

it('no text as a token is anything but a 401, and the answer does not repeat it', async () => {
  const part = fc.oneof(
    fc.string(),
    fc.base64String(),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
  );
  const texts = fc.oneof(
    fc.string(),
    fc.tuple(part, part, part).map((parts) => parts.join('.')),
  );
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      const problem = await refusal(text);
      expect(problem.status).toBe(401);
      if (text.length > 16) expect(JSON.stringify(problem)).not.toContain(text);
    }),
  );
});

it('does not sign a token that could not be used', async () => {
  for (const wrong of [
    { jti: '' },
    { stream: '' },
    { stream: 'a b' },
    { priority: 10 },
    { region: 'mars' },
  ]) {
    await expect(sign(wrong)).rejects.toThrow();
  }
  await expect(sign({}, new Uint8Array(0))).rejects.toThrow();
});
