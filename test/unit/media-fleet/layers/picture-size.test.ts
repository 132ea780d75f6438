// Picture sizes from RTP payloads as encoders send them, and from payloads that are broken.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReadable, pictureSize } from '#media-fleet/layers/picture-size.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

describe('VP8', () => {
  const frame = '10 02 00 9d 01 2a 00 05 d0 02';

  it.each([
    ['a descriptor of one byte', `10 ${frame}`],
    ['a picture id of two bytes, TL0PICIDX, TID and KEYIDX', `90 f0 8123 05 20 ${frame}`],
    ['a picture id of one byte', `90 80 11 ${frame}`],
    ['a temporal layer only', `90 20 40 ${frame}`],
  ])('a key frame behind %s', (_, payload) => {
    expect(pictureSize('video/VP8', hex(payload))).toEqual({ width: 1280, height: 720 });
  });

  it('scaling is no part of the size', () => {
    expect(pictureSize('video/VP8', hex('10 10 02 00 9d 01 2a 00 45 d0 82'))).toEqual({
      width: 1280,
      height: 720,
    });
  });

  it.each([
    ['a delta frame', '10 11 02 00 9d 01 2a 00 05 d0 02'],
    ['a later packet of a frame', `00 ${frame}`],
    ['another partition', `11 ${frame}`],
    ['no start code', '10 10 02 00 9d 01 2b 00 05 d0 02'],
    ['one that is cut short', '10 10 02 00 9d 01 2a 00 05'],
  ])('%s says nothing', (_, payload) => {
    expect(pictureSize('video/VP8', hex(payload))).toBeUndefined();
  });
});

describe('VP9', () => {
  it.each([
    ['in flexible mode', '9a 8123 18 0280 0168 00', 1],
    ['in non-flexible mode with layers', 'aa 8123 00 07 18 0280 0168 00', 1],
    ['of two spatial layers', '8a 8123 38 0140 00b4 0280 0168 00', 2],
  ])('a scalability structure %s', (_, payload) => {
    expect(pictureSize('video/VP9', hex(payload))).toEqual({ width: 640, height: 360 });
  });

  it.each([
    ['no structure', '88 8123 00'],
    ['a structure without sizes', '8a 8123 08 00'],
  ])('%s says nothing', (_, payload) => {
    expect(pictureSize('video/VP9', hex(payload))).toBeUndefined();
  });
});

describe('H264', () => {
  // As Chromium's encoder (OpenH264) makes them, and the last x264.
  const HIGH_1080 = '67640c28ac191a80780227e59a80808083c2211a80';

  it.each([
    [
      'of the constrained baseline profile',
      '6742c01e8c8d405017fcb35010101078442350',
      { width: 640, height: 360 },
    ],
    ['cropped', '6742c0288c8d403c0113f2cd40404041e1108d40', { width: 1920, height: 1080 }],
    [
      'of the main profile, of an odd size',
      '674d4c0d8c8d40a8cb1134d40404041e1108d4',
      { width: 322, height: 182 },
    ],
    ['of the high profile', HIGH_1080, { width: 1920, height: 1080 }],
    [
      'with bytes against start codes',
      '67640028acd940780227e5c044000003000400000300f03c60c658',
      { width: 1920, height: 1080 },
    ],
  ])('a sequence parameter set %s', (_, payload, size) => {
    expect(pictureSize('video/H264', hex(payload))).toEqual(size);
  });

  it('in an aggregation packet, wherever it stands', () => {
    const sps = hex(HIGH_1080);
    const aggregation = Buffer.concat([hex('78 0002 09f0'), hex('0000'), sps, hex('0004 68ebe3cb')]);
    aggregation.writeUInt16BE(sps.length, 5);
    expect(pictureSize('video/H264', aggregation)).toEqual({ width: 1920, height: 1080 });
  });

  it.each([
    ['a slice', '65 b8 00 04'],
    ['a fragment', '7c 85 b8 00'],
    ['a set that is cut short', '67 64 00 28 ac'],
  ])('%s says nothing', (_, payload) => {
    expect(pictureSize('video/H264', hex(payload))).toBeUndefined();
  });
});

it('no payload of any codec does harm', () => {
  const codec = fc.constantFrom('video/VP8', 'video/VP9', 'video/H264', 'video/AV1');
  fc.assert(
    fc.property(codec, fc.uint8Array({ maxLength: 100 }), (mimeType, payload) => {
      const size = pictureSize(mimeType, payload);
      if (size) expect(Math.min(size.width, size.height)).toBeGreaterThan(0);
    }),
    { numRuns: 2_000 },
  );
});

it('says of which codecs it can tell', () => {
  expect(['video/vp8', 'video/VP9', 'video/H264', 'video/AV1'].map(isReadable)).toEqual([
    true,
    true,
    true,
    false,
  ]);
});
