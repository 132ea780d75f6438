// Session tickets: sealed for one use and stream, unreadable and unforgeable without the key.

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { CompactEncrypt } from 'jose';
import { expect, it } from 'vitest';
import { Problem } from '#routing/problem.ts';
import { type SessionTicket, SessionUrls } from '#routing/session-url.ts';

const key = randomBytes(32);
const urls = new SessionUrls(key);
const ticket: SessionTicket = {
  use: 'whip',
  stream: 'concert',
  sessionId: crypto.randomUUID(),
  protected: true,
  nodeId: 'i-origin',
  incarnation: 'origin-start-1',
  control: '10.1.2.3:7443',
  fingerprint: 'ab'.repeat(32),
};
const unknown = expect.objectContaining({ status: 404, code: 'unknown-session' });

it('opens what it sealed, for its own use and stream', async () => {
  expect(await urls.open(await urls.seal(ticket), ticket)).toEqual(ticket);
});

it('a ticket is one path segment that tells nothing of the node', async () => {
  const sealed = await urls.seal(ticket);
  expect(encodeURIComponent(sealed)).toBe(sealed);
  const readable = sealed.split('.').map((part) => Buffer.from(part, 'base64url').toString('latin1'));
  for (const secret of [ticket.control, ticket.nodeId, ticket.sessionId]) {
    expect(readable.join(' ')).not.toContain(secret);
  }
});

it('sealing twice gives two different texts', async () => {
  expect(await urls.seal(ticket)).not.toBe(await urls.seal(ticket));
});

it('is a 404 with another use, stream or key', async () => {
  const sealed = await urls.seal(ticket);
  await expect(urls.open(sealed, { ...ticket, use: 'whep' })).rejects.toEqual(unknown);
  await expect(urls.open(sealed, { ...ticket, stream: 'concert2' })).rejects.toEqual(unknown);
  await expect(new SessionUrls(randomBytes(32)).open(sealed, ticket)).rejects.toEqual(unknown);
});

it('takes no key but one of 32 bytes', () => {
  expect(() => new SessionUrls(randomBytes(31))).toThrow('31 bytes');
});

it('is a 404 with any character changed', async () => {
  const sealed = await urls.seal(ticket);
  await fc.assert(
    fc.asyncProperty(fc.nat(sealed.length - 1), fc.constantFrom(...'AZaz09-_.'), async (at, letter) => {
      const changed = `${sealed.slice(0, at)}${letter}${sealed.slice(at + 1)}`;
      if (bytesOf(changed) !== bytesOf(sealed))
        await expect(urls.open(changed, ticket)).rejects.toEqual(unknown);
    }),
  );
});
/** The last character of a part has spare bits: other texts may hold the same bytes. */
const bytesOf = (text: string) =>
  text
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('hex'))
    .join('.');

it('no text is anything but a 404', async () => {
  const part = fc.oneof(
    fc.constantFrom('', 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0'),
    fc.base64String({ maxLength: 40 }),
    fc.json({ maxDepth: 2 }).map((text) => Buffer.from(text).toString('base64url')),
    fc
      .record({
        alg: fc.constantFrom('dir', 'A256KW', 'PBES2-HS256+A128KW', 'none'),
        enc: fc.constantFrom('A256GCM', 'A128CBC-HS256'),
        zip: fc.option(fc.constantFrom('DEF', 1), { nil: undefined }),
        crit: fc.option(fc.constantFrom('exp', ['exp'], []), { nil: undefined }),
      })
      .map((header) => Buffer.from(JSON.stringify(header)).toString('base64url')),
  );
  const texts = fc.oneof(
    fc.string(),
    fc.tuple(part, part, part, part, part).map((parts) => parts.join('.')),
    fc.array(part, { maxLength: 7 }).map((parts) => parts.join('.')),
  );
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      const outcome = await urls.open(text, ticket).catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(Problem);
      expect(outcome).toEqual(unknown);
    }),
    { numRuns: 500 },
  );
});

const sealText = (text: string, enc = 'A256GCM') =>
  new CompactEncrypt(Buffer.from(text)).setProtectedHeader({ alg: 'dir', enc }).encrypt(key);

it('takes no other encryption with the same key', async () => {
  await expect(urls.open(await sealText(JSON.stringify(ticket), 'A128CBC-HS256'), ticket)).rejects.toEqual(
    unknown,
  );
});

it.each(['{}', 'not JSON', JSON.stringify({ ...ticket, fingerprint: undefined })])(
  'what another release sealed is a 404: %s',
  async (text) => {
    await expect(urls.open(await sealText(text), ticket)).rejects.toEqual(unknown);
  },
);
