// The local gateway's part of IAM: a request that the region client signed is let in, an altered one is not.

import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { HttpRequest } from '@smithy/protocol-http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isSigned } from '#local/gateway/signature-check.ts';
import { regionSigner } from '#routing/region-client.ts';

const region = 'eu-west-1';
const credentials = { accessKeyId: 'local', secretAccessKey: 'secret' };
let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer(async (incoming, response) => {
    const signed = await isSigned(incoming, await buffer(incoming), { region, credentials }).catch(String);
    response.end(JSON.stringify(signed));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

interface Sent {
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string;
}

interface Signing {
  region?: string;
  secretAccessKey?: string;
  signingDate?: Date;
  query?: Record<string, string>;
}

/** A request as the region client signs it. */
async function signed({ query = {}, signingDate = new Date(), ...changes }: Signing = {}): Promise<Sent> {
  const path = '/cascade/concert';
  const body = '{"ask":"leg"}';
  const headers = { host: `127.0.0.1:${port}`, 'content-type': 'application/json' };
  const secretAccessKey = changes.secretAccessKey ?? credentials.secretAccessKey;
  const signer = regionSigner(changes.region ?? region, async () => ({ ...credentials, secretAccessKey }));
  const made = await signer.sign(new HttpRequest({ method: 'POST', path, query, headers, body }), {
    signingDate,
  });
  const search = new URLSearchParams(query).toString();
  return {
    method: 'POST',
    path: search === '' ? path : `${path}?${search}`,
    headers: { ...made.headers },
    body,
  };
}

/** What the gateway says of a request. */
async function verdict({ method, path, headers, body }: Sent): Promise<unknown> {
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false });
  const answered = once(outgoing, 'response');
  outgoing.end(body);
  const [response] = await answered;
  return JSON.parse((await buffer(response)).toString());
}

it('lets in what the region client’s signer signed', async () => {
  expect(await verdict(await signed())).toBe(true);
  expect(await verdict(await signed({ query: { b: 'x y&z', a: 'ü' } })), 'with a query').toBe(true);
});

it('lets in a header that was not signed', async () => {
  const sent = await signed();
  expect(await verdict({ ...sent, headers: { ...sent.headers, 'x-forwarded-for': '203.0.113.9' } })).toBe(
    true,
  );
});

it('refuses what was not signed at all', async () => {
  const sent = await signed();
  expect(await verdict({ ...sent, headers: { host: `127.0.0.1:${port}` } })).toBe(false);
});

it.each([
  ['method', { method: 'PUT' }],
  ['path', { path: '/cascade/other' }],
  ['query', { path: '/cascade/concert?x=1' }],
])('refuses another %s', async (_, changes) => {
  expect(await verdict({ ...(await signed()), ...changes })).toBe(false);
});

it.each(['', '{"ask":"notice"}'])('refuses another body: %j', async (body) => {
  expect(await verdict({ ...(await signed()), body })).toBe(false);
});

it.each(['host', 'content-type', 'x-amz-date', 'x-amz-content-sha256', 'authorization'])(
  'refuses another %s',
  async (name) => {
    const sent = await signed();
    expect(Object.keys(sent.headers)).toContain(name);
    const changed = name === 'x-amz-date' ? amzDate(Date.now() - 2_000) : `${sent.headers[name]}0`;
    expect(await verdict({ ...sent, headers: { ...sent.headers, [name]: changed } })).toBe(false);
  },
);

const amzDate = (time: number) => new Date(time).toISOString().replace(/[-:]|\.\d+/g, '');

it('refuses a signature for another region, or with another secret', async () => {
  expect(await verdict(await signed({ region: 'us-east-1' }))).toBe(false);
  expect(await verdict(await signed({ secretAccessKey: 'guessed' }))).toBe(false);
});

it('refuses what was signed more than five minutes ago, or will be', async () => {
  for (const minutes of [-4, 4]) {
    expect(await verdict(await signed({ signingDate: new Date(Date.now() + minutes * 60_000) }))).toBe(true);
  }
  for (const minutes of [-6, 6]) {
    expect(await verdict(await signed({ signingDate: new Date(Date.now() + minutes * 60_000) }))).toBe(false);
  }
});

it('refuses a signature from which a header was left out', async () => {
  const sent = await signed();
  const authorization = sent.headers.authorization?.replace('content-type;', '') ?? '';
  expect(await verdict({ ...sent, headers: { ...sent.headers, authorization } })).toBe(false);
});

it('no header is anything but refused', async () => {
  const text = fc.string({ unit: fc.constantFrom(...' ,;=/abcXYZ019-_'), maxLength: 40 });
  const authorization = fc.oneof(
    text,
    text.map((names) => `AWS4-HMAC-SHA256 SignedHeaders=host;${names}`),
  );
  await fc.assert(
    fc.asyncProperty(authorization, fc.constantFrom(amzDate(Date.now()), '', '2026'), async (given, date) => {
      const headers = { host: `127.0.0.1:${port}`, authorization: given, 'x-amz-date': date };
      expect(await verdict({ method: 'POST', path: '/cascade/concert', headers, body: '' })).toBe(false);
    }),
    { numRuns: 50 },
  );
});

it('refuses a date that does not exist', async () => {
  const sent = await signed();
  expect(await verdict({ ...sent, headers: { ...sent.headers, 'x-amz-date': '20261399T000000Z' } })).toBe(
    false,
  );
});
