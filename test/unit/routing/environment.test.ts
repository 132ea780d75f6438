// What nodes and functions read from their environment in the same form.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { regionApis, secretKey } from '#routing/environment.ts';

it('a key is at least 32 bytes in base64', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 48 }), (bytes) => {
      const parsed = secretKey.safeParse(Buffer.from(bytes).toString('base64'));
      expect(parsed.success).toBe(bytes.length >= 32);
      if (parsed.success) expect(Buffer.from(parsed.data).equals(bytes)).toBe(true);
    }),
  );
});

it.each(['', 'not base64!', 'x'.repeat(43), undefined])('%j is no key', (text) => {
  expect(secretKey.safeParse(text).success).toBe(false);
});

it('regions are a JSON list of ids and addresses', () => {
  const regions = [{ id: 'eu-west-1', api: 'https://eu-west-1.live.example' }];
  expect(regionApis.parse(JSON.stringify(regions))).toEqual(regions);
});

it.each([
  '',
  '{',
  '{}',
  '[]',
  '[{"id":"eu-west-1"}]',
  '[{"id":"europe","api":"https://x"}]',
  '[{"id":"eu-west-1","api":"x"}]',
])('%s are no regions', (text) => {
  expect(regionApis.safeParse(text).success).toBe(false);
});
