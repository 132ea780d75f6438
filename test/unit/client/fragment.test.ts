import { expect, test } from 'vitest';
import { isIceLite, readIce, withIce, writeFragment } from '#client/fragment.js';
import { readFragment } from '#media-fleet/sdp/fragment.ts';

const lines = (...given: string[]) => `${given.join('\r\n')}\r\n`;
const HOST = 'candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host';

const offer = lines(
  'v=0',
  'o=- 1 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0 1',
  'm=video 9 UDP/TLS/RTP/SAVPF 96 97',
  'c=IN IP4 0.0.0.0',
  `a=${HOST}`,
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789012345678901',
  'a=mid:0',
  'a=setup:actpass',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789012345678901',
  'a=mid:1',
  'a=setup:actpass',
);

test('a fragment has the first section with its credentials and candidates, and a node reads it', () => {
  const fragment = writeFragment(offer);
  expect(fragment).toBe(
    lines(
      'a=group:BUNDLE 0 1',
      'm=video 9 UDP/TLS/RTP/SAVPF 96 97',
      'a=mid:0',
      'a=ice-ufrag:abcd',
      'a=ice-pwd:0123456789012345678901',
      `a=${HOST}`,
      'a=end-of-candidates',
    ),
  );
  expect(readFragment(fragment)).toEqual({ usernameFragment: 'abcd', password: '0123456789012345678901' });
});

test('a description without credentials is told, not sent', () => {
  expect(() => readIce('v=0\r\n')).toThrow(/ice-ufrag/);
});

test("after a restart the server's description has its new ways in every section, and an offer is an answer", () => {
  const candidates = [
    'candidate:9 1 udp 1 198.51.100.7 4443 typ host',
    'candidate:9 1 tcp 1 198.51.100.7 4443 typ host',
  ];
  const restarted = withIce(offer, { usernameFragment: 'wxyz', password: 'p'.repeat(22), candidates });
  expect(restarted).not.toMatch(/abcd|0123456789|192\.0\.2\.1|actpass/);
  expect(restarted.match(/a=ice-ufrag:wxyz/g)).toHaveLength(2);
  expect(restarted.match(/a=setup:passive/g)).toHaveLength(2);
  const [, first = '', second = ''] = restarted.split('m=');
  for (const candidate of candidates) expect(first).toContain(`a=${candidate}\r\n`);
  expect(first).toContain('a=end-of-candidates');
  expect(second).not.toContain('candidate');
  expect(readIce(restarted)).toEqual({ usernameFragment: 'wxyz', password: 'p'.repeat(22), candidates });
  // And once more.
  const again = withIce(restarted, {
    usernameFragment: 'next',
    password: 'q'.repeat(22),
    candidates: [HOST],
  });
  expect(readIce(again).candidates).toEqual([HOST]);
});

test('what an answer says of its setup stays', () => {
  const answer = offer.replaceAll('actpass', 'active');
  const ice = { usernameFragment: 'wxyz', password: 'p'.repeat(22), candidates: [] };
  expect(withIce(answer, ice)).toContain('a=setup:active');
});

test('ICE lite is a line of its own', () => {
  expect(isIceLite(offer)).toBe(false);
  expect(isIceLite(offer.replace('t=0 0\r\n', 't=0 0\r\na=ice-lite\r\n'))).toBe(true);
});
