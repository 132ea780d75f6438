// What IAM does for API Gateway on AWS: checks the SigV4 signature of a request, here against the local world's keys.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { HttpRequest } from '@smithy/protocol-http';
import { regionSigner } from '#routing/region-client.ts';

/** AWS refuses requests whose date is further off (Signature Version 4 documentation), in ms. */
const MAX_SKEW = 300_000;

export interface SignatureCheckOptions {
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

/** True when the request was signed with these credentials, for this region, a moment ago. */
export async function isSigned(
  request: IncomingMessage,
  payload: Buffer,
  { region, credentials }: SignatureCheckOptions,
): Promise<boolean> {
  const given = request.headers.authorization ?? '';
  const signedHeaders = /SignedHeaders=([^,\s]+)/.exec(given)?.[1]?.split(';') ?? [];
  const date = parseAmzDate(String(request.headers['x-amz-date'] ?? ''));
  const skew = date === undefined ? Number.NaN : Math.abs(Date.now() - date.getTime());
  if (date === undefined || !(skew <= MAX_SKEW) || !signedHeaders.includes('host')) return false;
  // The signer takes the body's hash from this header where it stands: so it must be the body's.
  const hash = createHash('sha256').update(payload).digest('hex');
  if ((request.headers['x-amz-content-sha256'] ?? hash) !== hash) return false;
  const url = new URL(request.url ?? '/', 'http://gateway');
  const again = await regionSigner(region, async () => credentials).sign(
    new HttpRequest({
      method: request.method ?? 'GET',
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: Object.fromEntries(signedHeaders.map((name) => [name, String(request.headers[name] ?? '')])),
      body: payload.toString(),
    }),
    { signingDate: date },
  );
  const [a, b] = [Buffer.from(given), Buffer.from(again.headers.authorization ?? '')];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** `20261121T101500Z` */
function parseAmzDate(text: string): Date | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
