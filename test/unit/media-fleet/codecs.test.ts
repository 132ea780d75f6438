// The hub's codecs and the layouts of viewers: numbers that never collide.

import fc from 'fast-check';
import { ortc } from 'mediasoup';
import type { RtpCapabilities } from 'mediasoup/types';
import { expect, it } from 'vitest';
import { HUB_CODECS, type Layout, layoutCodecs, layoutKey } from '#media-fleet/codecs.ts';

/** What a router of these codecs can do: made as the router makes it. @throws TypeError where numbers collide. */
const capabilitiesOf = (codecs: typeof HUB_CODECS): RtpCapabilities =>
  ortc.generateRouterRtpCapabilities(codecs);
const numbers = ({ codecs = [] }: RtpCapabilities) =>
  codecs.map(({ preferredPayloadType }) => preferredPayloadType);

it('the hub’s codecs make a router whose payload types are all different', () => {
  const all = numbers(capabilitiesOf(HUB_CODECS));
  expect(new Set(all).size).toBe(all.length);
  expect(all).not.toContain(undefined);
});

it('every codec of the hub has the number that it asked for', () => {
  const { codecs = [] } = capabilitiesOf(HUB_CODECS);
  const media = codecs.filter(({ mimeType }) => !mimeType.endsWith('/rtx'));
  expect(media.map(({ mimeType, preferredPayloadType }) => [mimeType, preferredPayloadType])).toEqual(
    HUB_CODECS.map(({ mimeType, preferredPayloadType }) => [mimeType, preferredPayloadType]),
  );
});

it('every video codec of the hub has retransmissions of its own', () => {
  const { codecs = [] } = capabilitiesOf(HUB_CODECS);
  const video = codecs.filter(({ kind, mimeType }) => kind === 'video' && !mimeType.endsWith('/rtx'));
  const repaired = codecs
    .filter(({ mimeType }) => mimeType.endsWith('/rtx'))
    .map(({ parameters }) => parameters?.apt);
  expect(repaired.toSorted()).toEqual(
    video.map(({ preferredPayloadType }) => preferredPayloadType).toSorted(),
  );
});

const opus = (payloadType: number): Layout[number] => ({
  kind: 'audio',
  payloadType,
  codec: { mimeType: 'audio/opus', clockRate: 48_000, channels: 2 },
});
const vp8 = (payloadType: number): Layout[number] => ({
  kind: 'video',
  payloadType,
  codec: { mimeType: 'video/VP8', clockRate: 90_000 },
});
const h264 = (payloadType: number, profile: string, mode = 1): Layout[number] => ({
  kind: 'video',
  payloadType,
  codec: {
    mimeType: 'video/H264',
    clockRate: 90_000,
    parameters: {
      'profile-level-id': profile,
      'packetization-mode': mode,
      'sprop-parameter-sets': `for ${payloadType}`,
    },
  },
});

it('layouts that one router can serve have one key, in whatever order their sections came', () => {
  expect(layoutKey([opus(111), vp8(96)])).toBe(layoutKey([vp8(96), opus(111)]));
  const named = vp8(96);
  expect(layoutKey([{ ...named, codec: { ...named.codec, mimeType: 'video/vp8' } }])).toBe(
    layoutKey([named]),
  );
});

it('layouts that differ in a number, codec, profile or mode have keys of their own', () => {
  const layouts: Layout[] = [
    [opus(111), vp8(96)],
    [opus(109), vp8(96)],
    [opus(111), vp8(120)],
    [opus(111)],
    [opus(111), h264(96, '42e01f')],
    [opus(111), h264(96, '64001f')],
    [opus(111), h264(96, '42e01f', 0)],
  ];
  expect(new Set(layouts.map(layoutKey)).size).toBe(layouts.length);
});

const number = fc.oneof(fc.integer({ min: 96, max: 127 }), fc.integer({ min: 35, max: 63 }));
const pair = fc.tuple(number, number).filter(([audio, video]) => audio !== video);

/** That a layout's router has the layout's own numbers, and no other codec has one of them. */
function expectOwnNumbers(layout: Layout): void {
  const capabilities = capabilitiesOf(layoutCodecs(layout));
  const all = numbers(capabilities);
  expect(new Set(all).size).toBe(all.length);
  for (const { payloadType, codec } of layout) {
    const found = capabilities.codecs?.find(
      ({ preferredPayloadType }) => preferredPayloadType === payloadType,
    );
    expect(found?.mimeType).toBe(codec.mimeType);
  }
}

it('a layout’s router has the layout’s own numbers, whatever they are', () => {
  fc.assert(fc.property(pair, ([audio, video]) => expectOwnNumbers([opus(audio), vp8(video)])));
});

it('a layout’s router has the layout’s own numbers, video first too', () => {
  expectOwnNumbers([vp8(96), opus(100)]);
});
