// Paths: odd names of streams, percent-encodings, sessions' tickets changed by a bit or used elsewhere, and every method.

import fc from 'fast-check';
import { offerText } from '#test/unit/media-fleet/sdp/offers.ts';
import { check } from './answers.ts';
import type { Ask } from './client.ts';
import type { Scene, Use } from './scene.ts';
import { FRAGMENT, opened, openSession, SDP } from './sessions.ts';
import { hostileText } from './texts.ts';
import { flipped, meaning } from './tokens.ts';

const METHODS = [
  ...[
    'GET',
    'HEAD',
    'POST',
    'PUT',
    'PATCH',
    'DELETE',
    'OPTIONS',
    'TRACE',
    'PROPFIND',
    'SEARCH',
    'QUERY',
    'M-SEARCH',
  ],
] as const;

/** A session's ticket in its URL, changed. */
type Ticket =
  | { how: 'flip' | 'cut'; at: number }
  | { how: 'text'; text: string }
  /** As it is, under another stream or use. */
  | { how: 'other-stream' | 'other-use' };

export type PathCase =
  | { what: 'path'; region: number; method: string; path: string }
  | { what: 'ticket'; region: number; use: Use; method: 'PATCH' | 'DELETE'; ticket: Ticket };

/** What can stand in a request's target (RFC 9112 section 3.2): Node's parser refuses all else. */
const visible = (text: string): string =>
  text.replace(/[^\x21-\x7e]/gu, encodeURIComponent).replaceAll('#', '%23');

const segment: fc.Arbitrary<string> = fc
  .oneof(
    fc.constantFrom(
      'x',
      '.',
      '..',
      '...',
      '%2e%2e',
      '%2F',
      'a%2Fb',
      '%',
      '%zz',
      '%00',
      '%C3%28',
      '%ff',
      '%25%34%31',
      '+',
    ),
    fc.constantFrom(
      '~x',
      '-x',
      'x;y',
      'x?y',
      'x:y',
      '@',
      'constructor',
      '__proto__',
      '%F0%9F%98%80',
      'x'.repeat(129),
    ),
    fc.nat(12_000).map((length) => 'x'.repeat(length)),
    hostileText.map((text) => encodeURIComponent(text.toWellFormed())),
    hostileText,
  )
  .map((text) => visible(text.toWellFormed()));

const query: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    '',
    '',
    '?',
    '?token',
    '?token=',
    '?token=a&token=b',
    '?token=%zz',
    '?__proto__=x',
    '?region=self',
    '?maxHeight=x',
  ),
  hostileText.map((text) => visible(`?${text.toWellFormed()}`)),
);

export const pathCases: fc.Arbitrary<PathCase> = fc.oneof(
  fc.record({
    what: fc.constant('path' as const),
    region: fc.nat(2),
    method: fc.constantFrom(...METHODS),
    path: fc
      .tuple(
        fc.constantFrom('whip', 'whep', 'whip', 'whep', 'WHIP', ''),
        fc.array(segment, { maxLength: 3 }),
        query,
      )
      .map(([first, rest, last]) => `/${[first, ...rest].join('/')}${last}`),
  }),
  fc.record({
    what: fc.constant('ticket' as const),
    region: fc.nat(2),
    use: fc.constantFrom('whip' as const, 'whep' as const),
    method: fc.constantFrom('PATCH' as const, 'DELETE' as const),
    ticket: fc.oneof(
      fc.record({ how: fc.constantFrom('flip' as const, 'cut' as const), at: fc.nat(8_000) }),
      fc.record({ how: fc.constant('text' as const), text: segment }),
      fc.record({ how: fc.constantFrom('other-stream' as const, 'other-use' as const) }),
    ),
  }),
);

/** Whatever is right for some method on some path. */
const ANY = [200, 201, 204, 400, 401, 404, 405, 409, 413, 415, 428] as const;

/** @throws Error that says what was wrong with an answer. */
export async function attemptPath(scene: Scene, given: PathCase): Promise<void> {
  const api = scene.api(given.region);
  if (given.what === 'path') {
    const { method, path } = given;
    const headers = method === 'POST' ? SDP : method === 'PATCH' ? FRAGMENT : {};
    const body = method === 'POST' ? offerText('obs-publisher') : '';
    const ask: Ask = { entry: 'paths', api, method, path, headers, body };
    check(ask, await scene.client.send(ask), { statuses: ANY });
    return;
  }
  const { region, use, method, ticket } = given;
  const session = await openSession(scene, {
    entry: 'valid',
    use,
    region,
    stream: scene.stream,
    offer: offerText(use === 'whip' ? 'obs-publisher' : 'chromium-viewer'),
    statuses: [201],
  });
  if (session === undefined) throw new Error('no session was opened');
  const sealed = session.ticket;
  const other = changedTicket(sealed, ticket);
  const isSame = ticket.how === 'flip' && meaning(other) === meaning(sealed);
  const otherUse = use === 'whip' ? 'whep' : 'whip';
  const ask: Ask = {
    entry: 'paths',
    api,
    method,
    path: `/${ticket.how === 'other-use' ? otherUse : use}/${ticket.how === 'other-stream' ? 'another' : scene.stream}/${other}`,
    headers: { ...session.credentials, ...FRAGMENT, 'if-match': '*' },
    body: method === 'PATCH' ? 'a=ice-ufrag:fuzz\r\na=ice-pwd:0123456789abcdefghijkl\r\n' : '',
  };
  const answer = await scene.client.send(ask);
  // A text may make another path of it.
  const statuses = isSame ? [200] : ticket.how === 'text' ? [400, 404, 405] : [400, 404];
  check(ask, answer, { statuses, secrets: [sealed] });
  await opened(scene, ask, answer)?.end();
  if (!(isSame && method === 'DELETE')) await session.end();
}

function changedTicket(sealed: string, ticket: Ticket): string {
  switch (ticket.how) {
    case 'flip':
      return visible(flipped(sealed, ticket.at)).replace(/[/?]/g, '!');
    case 'cut':
      return sealed.slice(0, 1 + (ticket.at % (sealed.length - 1)));
    case 'text':
      return ticket.text === '' ? '-' : ticket.text;
    default:
      return sealed;
  }
}
