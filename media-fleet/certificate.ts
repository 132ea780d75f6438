// The control server's own certificate, made at every start: callers pin its fingerprint from the node's item.

import { X509Certificate } from 'node:crypto';
import selfsigned from 'selfsigned';

/** Longer than any instance lives; a node that restarts makes another. */
const DAYS = 3_650;

export interface Certificate {
  key: string;
  cert: string;
  /** SHA-256, hex. */
  fingerprint: string;
}

export async function makeCertificate(commonName: string): Promise<Certificate> {
  const notAfterDate = new Date(Date.now() + DAYS * 86_400_000);
  const made = await selfsigned.generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate,
  });
  const fingerprint = new X509Certificate(made.cert).fingerprint256.replaceAll(':', '').toLowerCase();
  return { key: made.private, cert: made.cert, fingerprint };
}
