// What an address counts as for rate limits, and that no header changes it.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addressKey, sourceOf } from '#functions/http/source.ts';
import { httpEvent } from '../events.ts';

it.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::FFFF:cb00:7107', '203.0.113.7'],
  ['0:0:0:0:0:ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002:ffff:ffff:ffff:ffff', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8::1:0:0:0:1', '2001:db8:0:1::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('%s counts as %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});

it('all addresses of an IPv6 /64 are one, and those of another one are not', () => {
  const half = fc
    .tuple(...[1, 2, 3, 4].map(() => fc.integer({ min: 0, max: 0xffff })))
    .map((groups) => groups.map((group) => group.toString(16)).join(':'));
  fc.assert(
    fc.property(half, half, half, half, (net, otherNet, host, otherHost) => {
      // Mapped IPv4 is another matter.
      fc.pre(net !== '0:0:0:0' && otherNet !== '0:0:0:0');
      expect(addressKey(`${net}:${host}`)).toBe(addressKey(`${net}:${otherHost}`));
      if (net !== otherNet) expect(addressKey(`${net}:${host}`)).not.toBe(addressKey(`${otherNet}:${host}`));
    }),
  );
});

it('the address is the one that API Gateway saw, whatever a client writes', () => {
  const headers = {
    'X-Forwarded-For': '198.51.100.1',
    Forwarded: 'for=198.51.100.1',
    'X-Real-IP': '198.51.100.1',
  };
  expect(sourceOf(httpEvent({ method: 'POST', path: '/whep/x', headers, from: '192.0.2.9' }))).toBe(
    '192.0.2.9',
  );
});
