// Trickle ICE fragments: credentials read from what clients send, and the answer to a restart.

import fc from 'fast-check';
import sdpTransform from 'sdp-transform';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readFragment, writeFragment } from '#media-fleet/sdp/fragment.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { Problem } from '#routing/problem.ts';
import { openHub, startWorkers } from '../media.ts';

const candidates = `a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1
a=candidate:473322822 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0 ufrag EsAw network-id 1
a=end-of-candidates`;
const given = { usernameFragment: 'EsAw', password: 'P2uYro0UCOQ4zxjKXaWCBui1' };
const credentials = 'a=ice-ufrag:EsAw\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1';

it.each([
  ['as RFC 9725 shows it', `${credentials}\nm=audio 9 RTP/AVP 0\na=mid:0\n${candidates}\n`],
  ['inside the section', `m=audio 9 UDP/TLS/RTP/SAVPF 0\na=mid:0\n${credentials}\n${candidates}\n`],
  [
    'with the bundle and options',
    `a=ice-options:trickle ice2\na=group:BUNDLE 0 1\nm=audio 9 UDP/TLS/RTP/SAVPF 111\na=mid:0\n${credentials}`,
  ],
  ['credentials alone', credentials],
])('takes a fragment %s, whatever its line ends', (_, text) => {
  expect(readFragment(text)).toEqual(given);
  expect(readFragment(text.replaceAll('\n', '\r\n'))).toEqual(given);
});

it('credentials of digits stay text', () => {
  expect(readFragment('a=ice-ufrag:1234\r\na=ice-pwd:5678')).toEqual({
    usernameFragment: '1234',
    password: '5678',
  });
});

it.each([
  '',
  'hello',
  '{"candidate":""}',
  'a=ice-ufrag:EsAw',
  'a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1',
  candidates,
  `a=ice-ufrag:\n${credentials.split('\n')[1]}`,
  `\n${credentials}`,
  `${credentials}\na=x\0`,
])('%j is a 400', (text) => {
  expect(() => readFragment(text)).toThrow(expect.objectContaining({ status: 400, code: 'malformed-sdp' }));
});

it('no text is anything but credentials or a 400', () => {
  const line = fc
    .tuple(
      fc.constantFrom('a=ice-ufrag:', 'a=ice-pwd:', 'm=audio ', 'a=mid:', 'a=candidate:', ''),
      fc.string(),
    )
    .map((parts) => parts.join(''));
  const texts = fc.oneof(
    fc.string(),
    fc.array(line).map((lines) => lines.join('\r\n')),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        const { usernameFragment, password } = readFragment(text);
        expect([typeof usernameFragment, typeof password]).toEqual(['string', 'string']);
      } catch (error) {
        expect(error).toBeInstanceOf(Problem);
      }
    }),
    { numRuns: 500 },
  );
});

let workers: Workers;
beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());

it('the answer to a restart has the transport’s new credentials and every candidate', async () => {
  const hub = await openHub(workers);
  const transport = await workers.createSessionTransport(hub.media, hub.router);
  const before = { ...transport.iceParameters };
  await transport.restartIce();
  const text = writeFragment(transport, 'video', 'v1');
  expect(readFragment(text)).toEqual({
    usernameFragment: transport.iceParameters.usernameFragment,
    password: transport.iceParameters.password,
  });
  expect(transport.iceParameters.usernameFragment).not.toBe(before.usernameFragment);
  const parsed = sdpTransform.parse(text);
  expect(parsed.icelite).toBe('ice-lite');
  expect(parsed.media).toMatchObject([{ type: 'video', mid: 'v1', endOfCandidates: 'end-of-candidates' }]);
  expect(parsed.media[0]?.candidates).toHaveLength(transport.iceCandidates.length);
  hub.router.close();
});
