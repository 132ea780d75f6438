// Headers: those that Meridian reads, with every kind of value, and those that it must not mind; bodies of bytes.

import type { OutgoingHttpHeaders } from 'node:http';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { offerText } from '#test/unit/media-fleet/sdp/offers.ts';
import { check } from './answers.ts';
import type { Ask } from './client.ts';
import type { Scene } from './scene.ts';
import { opened, openSession, SDP } from './sessions.ts';
import { hostileText, type Repeated, repeat, repeated } from './texts.ts';

type Value = string | Repeated | readonly string[];

export interface HeadersCase {
  region: number;
  at: 'whip' | 'whep' | 'session';
  method: string;
  headers: Record<string, Value>;
  body: 'offer' | 'fragment' | 'none' | 'json' | 'gzip' | 'bytes' | 'marked' | 'long';
}

/** Read by functions. */
const READ: Readonly<Record<string, readonly string[]>> = {
  'content-type': [
    ...[
      'application/sdp',
      'APPLICATION/SDP',
      'application/sdp; charset=utf-16',
      ' application/sdp ;',
      'application/sdp,text/plain',
    ],
    ...[
      'application/trickle-ice-sdpfrag',
      'text/plain',
      'application/json',
      '',
      ';',
      '/',
      'multipart/form-data; boundary=x',
    ],
  ],
  authorization: [
    '',
    'Bearer',
    'Bearer ',
    'bearer  x  y',
    'Bearer\tx',
    'Basic eDp5',
    'Bearer null',
    'Bearer , Bearer x',
    'Digest x',
  ],
  'if-match': ['*', '"*"', '', '""', 'W/"*"', '"a","b"', '"', '*, "a"'],
  prefer: [
    'counter-offer',
    'COUNTER-OFFER',
    'counter-offer=1',
    ',,counter-offer,',
    'respond-async',
    'counter-offer;wait=1',
    '',
  ],
};
/** Not read, or by HTTP's own layer. */
const UNREAD = [
  ...[
    'accept',
    'accept-encoding',
    'content-encoding',
    'origin',
    'referer',
    'user-agent',
    'cookie',
    'range',
    'if-none-match',
  ],
  ...[
    'x-http-method-override',
    'x-forwarded-for',
    'x-forwarded-host',
    'forwarded',
    'via',
    'x-amzn-trace-id',
    'x-real-ip',
  ],
  ...[
    'access-control-request-method',
    'access-control-request-headers',
    'content-location',
    'link',
    'te',
    '__proto__',
    'x-y',
  ],
];

const value: fc.Arbitrary<Value> = fc.oneof(
  hostileText,
  repeated(20_000),
  fc.array(fc.string({ maxLength: 10 }), { maxLength: 20 }),
);

const read = fc
  .constantFrom(...Object.entries(READ))
  .chain(([name, values]) =>
    fc.tuple(fc.constant(name), fc.oneof(fc.constantFrom(...values), fc.constantFrom(...values), value)),
  );
const unread = fc.tuple(fc.constantFrom(...UNREAD), value);

export const headersCases: fc.Arbitrary<HeadersCase> = fc.record({
  region: fc.nat(2),
  at: fc.constantFrom('whip' as const, 'whep' as const, 'session' as const),
  method: fc.oneof(fc.constant('POST'), fc.constantFrom('GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')),
  headers: fc
    .array(fc.oneof({ weight: 3, arbitrary: read }, { weight: 1, arbitrary: unread }), { maxLength: 6 })
    .map((pairs) => Object.fromEntries(pairs)),
  body: fc.constantFrom(
    'offer',
    'offer',
    'offer',
    'fragment',
    'none',
    'json',
    'gzip',
    'bytes',
    'marked',
    'long',
  ),
});

function bodyOf(what: HeadersCase['body'], offer: string): string | Buffer {
  switch (what) {
    case 'offer':
      return offer;
    case 'fragment':
      return 'a=ice-ufrag:fuzz\r\na=ice-pwd:0123456789abcdefghijkl\r\n';
    case 'none':
      return '';
    case 'json':
      return JSON.stringify({ type: 'offer', sdp: offer });
    case 'gzip':
      return gzipSync(offer);
    case 'bytes':
      // No UTF-8, in the middle of what would be an offer.
      return Buffer.concat([Buffer.from(offer), Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28, 0x0d, 0x0a])]);
    case 'marked':
      // A byte order mark before an offer.
      return `\ufeff${offer}`;
    case 'long':
      return offer.padEnd(300_000, 'a=x\r\n');
  }
}

/** Whatever is right for some method. */
const ANY = [200, 201, 204, 400, 401, 404, 405, 406, 409, 412, 413, 415, 422, 428] as const;

/** @throws Error that says what was wrong with an answer. */
export async function attemptHeaders(
  scene: Scene,
  { region, at, method, headers, body }: HeadersCase,
): Promise<void> {
  const use = at === 'whip' ? 'whip' : 'whep';
  const offer = offerText(use === 'whip' ? 'obs-publisher' : 'chromium-viewer');
  const session =
    at === 'session'
      ? await openSession(scene, {
          entry: 'valid',
          use,
          region,
          stream: scene.stream,
          offer,
          statuses: [201],
        })
      : undefined;
  const given: OutgoingHttpHeaders = Object.fromEntries(
    Object.entries(headers).map(([name, one]) => [name, asSent(one)]),
  );
  const ask: Ask = {
    entry: 'headers',
    api: scene.api(region),
    method,
    path: session?.path ?? `/${use}/${scene.stream}`,
    headers: { ...SDP, ...(use === 'whip' ? { authorization: `Bearer ${scene.token}` } : {}), ...given },
    body: bodyOf(body, offer),
  };
  const answer = await scene.client.send(ask);
  check(ask, answer, {
    statuses: ANY,
    secrets: [scene.token, session?.ticket ?? '', String(given.authorization ?? '')],
  });
  await opened(scene, ask, answer)?.end();
  if (session !== undefined && !(method === 'DELETE' && answer.status === 200)) await session.end();
}

/** As a header's value can be (RFC 9110 section 5.5). */
function asSent(value: Value): string | string[] {
  const visible = (text: string) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '');
  if (typeof value === 'string') return visible(value);
  return 'piece' in value ? visible(repeat(value)) : value.map(visible);
}
