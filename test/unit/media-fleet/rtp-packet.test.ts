// Where an RTP packet's payload stands, whatever stands before and behind it.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { payloadOf } from '#media-fleet/rtp-packet.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

it('a packet’s payload is what stands behind its sources and extensions, without its padding', () => {
  const plain = '8060 0001 00000001 00000002';
  expect(payloadOf(hex(`${plain} aabb`))).toEqual(hex('aabb'));
  expect(payloadOf(hex('b260 0001 00000001 00000002 00000003 00000004 bede0001 10aa0000 aabb 0002'))).toEqual(
    hex('aabb'),
  );
});

it('no packet does harm', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 12, maxLength: 60 }), (packet) => {
      expect(payloadOf(Buffer.from(packet)).length).toBeLessThanOrEqual(packet.length - 12);
    }),
  );
});

it.each([
  ['before its sources', '8f60 0001 00000001 00000002'],
  ['before its extension', '9060 0001 00000001 00000002'],
  ['in its extension’s header', '9060 0001 00000001 00000002 bede00'],
  ['in its extension', '9060 0001 00000001 00000002 bede0002 10aa0000'],
])('a packet that is cut short %s has none', (_, packet) => {
  expect(payloadOf(hex(packet))).toHaveLength(0);
});
