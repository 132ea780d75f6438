// Trickle fragments, and players' answers to counter-offers: changed, to a session that is there, with every If-Match.

import fc from 'fast-check';
import { offerText } from '#test/unit/media-fleet/sdp/offers.ts';
import { type Mutation, mutate, mutations } from './mutations.ts';
import type { Scene, Use } from './scene.ts';
import { FRAGMENT, openSession, PATCHED, SDP } from './sessions.ts';
import { hostileText } from './texts.ts';

/** As RFC 9725 shows them (sections 4.3.1 and 4.3.2), as Chromium's candidates are, and the least that is one. */
const FRAGMENTS = {
  rfc: [
    'a=group:BUNDLE 0 1',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'a=mid:0',
    'a=ice-ufrag:EsAw',
    'a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1',
    'a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1',
    'a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0 ufrag EsAw network-id 2',
    'a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0 ufrag EsAw network-id 1',
    'a=end-of-candidates',
  ],
  session: ['a=ice-options:trickle ice2', 'a=ice-ufrag:EsAw', 'a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1'],
  least: ['a=ice-ufrag:1234', 'a=ice-pwd:5678'],
} as const;
type FragmentName = keyof typeof FRAGMENTS;

const VIEWERS = ['chromium-viewer', 'firefox-viewer'] as const;

export interface FragmentCase {
  use: Use;
  region: number;
  /** The session's own entity tag, none, or this text. */
  ifMatch: 'own' | 'none' | { text: string };
  /** A fragment, or a player's answer to the counter-offer that it got. */
  sent: { fragment: FragmentName } | { answer: (typeof VIEWERS)[number] };
  changes: Mutation[];
  /** How many at once. */
  times: number;
}

export const fragmentCases: fc.Arbitrary<FragmentCase> = fc.record({
  use: fc.constantFrom('whip' as const, 'whep' as const),
  region: fc.nat(2),
  ifMatch: fc.oneof(
    fc.constantFrom('own' as const, 'own' as const, 'none' as const),
    fc.record({
      text: fc.oneof(fc.constantFrom('*', '"*"', '"x"', 'W/"x"', '"a", "b"', '""', '"'), fc.string()),
    }),
  ),
  sent: fc.oneof(
    fc.record({ fragment: fc.constantFrom('rfc' as const, 'session' as const, 'least' as const) }),
    fc.record({ answer: fc.constantFrom(...VIEWERS) }),
  ),
  changes: fc.oneof(
    mutations,
    hostileText.map((line): Mutation[] => [{ how: 'insert-line', at: 0, line }]),
  ),
  times: fc.oneof(fc.constant(1), fc.integer({ min: 2, max: 4 })),
});

/** @throws Error that says what was wrong with an answer. */
export async function attemptFragment(
  scene: Scene,
  { use, region, ifMatch, sent, changes, times }: FragmentCase,
): Promise<void> {
  const isAnswer = 'answer' in sent;
  const session = await openSession(scene, {
    entry: 'valid',
    use,
    region,
    stream: scene.stream,
    offer: offerText(use === 'whip' ? 'chromium-publisher' : 'chromium-viewer'),
    counterOffer: isAnswer && use === 'whep',
    statuses: isAnswer && use === 'whep' ? [406] : [201],
  });
  if (session === undefined) throw new Error('no session was opened');
  const text = isAnswer
    ? offerText(sent.answer).replaceAll('setup:actpass', 'setup:active')
    : `${FRAGMENTS[sent.fragment].join('\r\n')}\r\n`;
  const tag = ifMatch === 'own' ? session.etag : ifMatch === 'none' ? undefined : visible(ifMatch.text);
  const headers = { ...(isAnswer ? SDP : FRAGMENT), ...(tag === undefined ? {} : { 'if-match': tag }) };
  const body = mutate(text, changes);
  const patches = Array.from({ length: times }, () => session.patch('fragments', headers, body, PATCHED));
  const failed = (await Promise.allSettled(patches)).find(({ status }) => status === 'rejected');
  await session.end();
  if (failed?.status === 'rejected') throw failed.reason;
}

/** As a header's value can be (RFC 9110 section 5.5). */
const visible = (text: string): string => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, '');
