// The certificate of a control server: its own at every start, told apart by its fingerprint.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { makeCertificate } from '#media-fleet/certificate.ts';
import { nodeRecord } from '#routing/node-record.ts';

it('is a certificate with its key, for the name that it was made for, valid now and for years', async () => {
  const { cert, key } = await makeCertificate('i-0123');
  const parsed = new X509Certificate(cert);
  expect(parsed.subject).toBe('CN=i-0123');
  expect(parsed.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect(parsed.publicKey.asymmetricKeyType).toBe('ec');
  expect(parsed.validFromDate.getTime()).toBeLessThanOrEqual(Date.now());
  expect(parsed.validToDate.getTime()).toBeGreaterThan(Date.now() + 3_000 * 86_400_000);
});

it('has the fingerprint in the form of the node’s item', async () => {
  const { cert, fingerprint } = await makeCertificate('i-0123');
  expect(nodeRecord.shape.fingerprint.parse(fingerprint)).toBe(fingerprint);
  expect(new X509Certificate(cert).fingerprint256).toBe(fingerprint.toUpperCase().replace(/..(?=.)/g, '$&:'));
});

it('is another one every time', async () => {
  const [first, second] = await Promise.all([makeCertificate('i-0123'), makeCertificate('i-0123')]);
  expect(first.fingerprint).not.toBe(second.fingerprint);
});
