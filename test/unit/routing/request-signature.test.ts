// Signatures on control requests: every part counts, each is good once, and only for a short time.

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, expect, it, vi } from 'vitest';
import {
  SIGNATURE_HEADERS,
  SignatureVerifier,
  type SignedParts,
  signRequest,
} from '#routing/request-signature.ts';
import { startClocks, stopClocks } from './clock.ts';

const key = randomBytes(32);
const parts: SignedParts = {
  method: 'POST',
  path: '/v1/whip?x=1',
  body: '{"v":1}',
  incarnation: 'node-start-1',
};

afterEach(startClocks);

/** One for all tests that replay nothing: it makes room for a window's nonces, which takes a while. */
const shared = new SignatureVerifier(key);
const refusal = (headers: Record<string, string | string[] | undefined>, given = parts) =>
  shared.refusal(given, headers);

it('takes what was signed with its key', () => {
  expect(refusal(signRequest(key, parts))).toBeUndefined();
});

it('refuses another key', () => {
  expect(refusal(signRequest(randomBytes(32), parts))).toMatch('another key');
});

it.each([
  ['method', { method: 'PUT' }],
  ['path', { path: '/v1/whip?x=2' }],
  ['body', { body: '{"v":2}' }],
  ['body', { body: '' }],
  ['incarnation', { incarnation: 'node-start-2' }],
])('refuses another %s', (_, changes) => {
  expect(refusal(signRequest(key, parts), { ...parts, ...changes })).toMatch('another request');
});

it('takes no other parts than the signed ones, wherever the difference lies', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 3 });
  const anyParts = fc.record({ method: text, path: text, body: text, incarnation: text });
  fc.assert(
    fc.property(anyParts, anyParts, (signed, given) => {
      const same = JSON.stringify(signed) === JSON.stringify(given);
      expect(refusal(signRequest(key, signed), given) === undefined).toBe(same);
    }),
  );
});

it.each(Object.values(SIGNATURE_HEADERS))('refuses a request without %s, or with it changed', (header) => {
  const signed = signRequest(key, parts);
  const other = signRequest(key, { ...parts, body: 'other' });
  const changed = header === SIGNATURE_HEADERS.time ? String(Number(signed[header]) + 1) : other[header];
  expect(refusal({ ...signed, [header]: undefined })).toBe('not signed');
  expect(refusal({ ...signed, [header]: [signed[header] ?? ''] })).toBe('not signed');
  expect(refusal({ ...signed, [header]: '' })).toBeDefined();
  expect(refusal({ ...signed, [header]: changed })).toBeDefined();
});

it('refuses a shorter and a longer signature', () => {
  const signed = signRequest(key, parts);
  const signature = signed[SIGNATURE_HEADERS.signature] ?? '';
  expect(refusal({ ...signed, [SIGNATURE_HEADERS.signature]: signature.slice(0, -4) })).toMatch(
    'another key',
  );
  expect(refusal({ ...signed, [SIGNATURE_HEADERS.signature]: `${signature}AAAA` })).toMatch('another key');
});

it('refuses a replay, and still takes other requests', () => {
  const verifier = new SignatureVerifier(key);
  const signed = signRequest(key, parts);
  expect(verifier.refusal(parts, signed)).toBeUndefined();
  expect(verifier.refusal(parts, signed)).toBe('seen before');
  expect(verifier.refusal(parts, signRequest(key, parts))).toBeUndefined();
});

it('a forged request does not use its nonce up', () => {
  const verifier = new SignatureVerifier(key);
  const signed = signRequest(key, parts);
  expect(verifier.refusal({ ...parts, body: 'forged' }, signed)).toBeDefined();
  expect(verifier.refusal(parts, signed)).toBeUndefined();
});

it.each([-30_001, 30_001])('refuses a clock that is off by %i ms', (off) => {
  stopClocks(1_790_000_000_000);
  const signed = signRequest(key, parts);
  vi.setSystemTime(1_790_000_000_000 + off);
  expect(refusal(signed)).toMatch('clock');
});

it.each([-30_000, 30_000])('takes a clock that is off by %i ms', (off) => {
  stopClocks(1_790_000_000_000);
  const signed = signRequest(key, parts);
  vi.setSystemTime(1_790_000_000_000 + off);
  expect(refusal(signed)).toBeUndefined();
});

it('a time that is no number is refused, even signed', () => {
  vi.spyOn(Date, 'now').mockReturnValueOnce(Number.NaN);
  const signed = signRequest(key, parts);
  expect(signed[SIGNATURE_HEADERS.time]).toBe('NaN');
  expect(refusal(signed)).toMatch('clock');
});

it('remembers a nonce for as long as its request would be taken', () => {
  stopClocks(1_790_000_000_000);
  const verifier = new SignatureVerifier(key);
  // From a clock that is half a minute ahead: good for a whole minute here.
  vi.setSystemTime(1_790_000_030_000);
  const signed = signRequest(key, parts);
  vi.setSystemTime(1_790_000_000_000);
  expect(verifier.refusal(parts, signed)).toBeUndefined();
  vi.advanceTimersByTime(59_999);
  expect(verifier.refusal(parts, signed)).toBe('seen before');
  vi.advanceTimersByTime(2);
  expect(verifier.refusal(parts, signed)).toMatch('too long ago');
});
