// Publishers' offers turned into producers on a real hub.

import fc from 'fast-check';
import type { Producer } from 'mediasoup/types';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { orderLayers, type Published, publish } from '#media-fleet/publication.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { type Hub, openHub, startWorkers } from './media.ts';
import { type OfferName, offerText, PUBLISHERS, plainOffer } from './sdp/offers.ts';

let workers: Workers;
let hub: Hub;

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  hub = await openHub(workers);
});
afterEach(() => hub.router.close());

async function publishText(text: string): Promise<Published> {
  const transport = await workers.createSessionTransport(hub.media, hub.router);
  return publish(readOffer(text), transport, hub.router);
}

async function videoOf(name: OfferName): Promise<Producer> {
  const video = (await publishText(offerText(name))).producers.find(({ kind }) => kind === 'video');
  if (video === undefined) throw new Error(`${name} publishes no video`);
  return video;
}

it.each(PUBLISHERS)('%s: one producer of each kind, named by its mid', async (name) => {
  const { producers } = await publishText(offerText(name));
  const { media } = readOffer(offerText(name));
  expect(producers.map(({ kind, rtpParameters }) => [kind, rtpParameters.mid])).toEqual(
    media.map(({ kind, mid }) => [kind, mid]),
  );
});

it.each([
  ['chromium-publisher', 'video/VP8', [{ ssrc: 1_364_433_157, rtx: { ssrc: 3_402_938_488 } }], 'simple'],
  ['firefox-publisher', 'video/VP8', [{ ssrc: 2_733_016_425, rtx: { ssrc: 1_037_413_580 } }], 'simple'],
  ['gstreamer-publisher', 'video/H264', [{ ssrc: 2_450_682_818 }], 'simple'],
  ['obs-publisher', 'video/H264', [{ ssrc: 3_382_040_869 }], 'simple'],
  ['aiortc-publisher', 'video/VP8', [{ ssrc: 1_477_349_285, rtx: { ssrc: 2_207_491_607 } }], 'simple'],
  ['chromium-simulcast', 'video/VP8', [{ rid: 'l' }, { rid: 'm' }, { rid: 'h' }], 'simulcast'],
] as const)('%s: receives its first choice of codec', async (name, mimeType, encodings, type) => {
  const { rtpParameters, type: kind } = await videoOf(name);
  expect(rtpParameters.codecs[0]?.mimeType).toBe(mimeType);
  expect(rtpParameters.encodings).toMatchObject(encodings);
  expect(rtpParameters.encodings).toHaveLength(encodings.length);
  expect(kind).toBe(type);
});

it('keeps a publisher’s own payload types and extension numbers', async () => {
  const { rtpParameters } = await videoOf('firefox-publisher');
  expect(rtpParameters.codecs.map(({ payloadType, mimeType }) => [payloadType, mimeType])).toEqual([
    [120, 'video/VP8'],
    [124, 'video/rtx'],
  ]);
  expect(rtpParameters.headerExtensions).toContainEqual(
    expect.objectContaining({ id: 3, uri: 'urn:ietf:params:rtp-hdrext:sdes:mid' }),
  );
});

const SENT = readOffer(offerText('chromium-publisher')).media[1]?.codecs.filter(
  ({ mimeType }) => !/red|ulpfec/.test(mimeType),
);
it.each(SENT ?? [])('takes $mimeType from Chromium: $fmtp', async ({ mimeType, fmtp }) => {
  const rtpmap = `a=rtpmap:96 ${mimeType.slice(6)}/90000${fmtp === undefined ? '' : `\r\na=fmtp:96 ${fmtp}`}`;
  const { producers } = await publishText(plainOffer(['a=rtpmap:96 VP8/90000', rtpmap]));
  expect(producers[1]?.rtpParameters.codecs[0]).toMatchObject({ mimeType });
});

const H264 = (payloadType: number, profile: string, mode = 1) =>
  `a=rtpmap:${payloadType} H264/90000\r\na=fmtp:${payloadType} packetization-mode=${mode};profile-level-id=${profile}\r\n`;

it.each([
  ['Constrained Baseline before Baseline', [H264(96, '42001f'), H264(98, '42e01f')], 98],
  ['what is first where that is another profile', [H264(96, '64001f'), H264(98, '42e01f')], 96],
  ['no other packetization for it', [H264(96, '42001f'), H264(98, '42e01f', 0)], 96],
  ['Baseline where there is no other', [H264(96, '42001f'), H264(98, '64001f')], 96],
])('of H264 it takes %s', async (_, codecs, payloadType) => {
  const text = plainOffer(
    ['SAVPF 96 97', 'SAVPF 96 98'],
    ['a=rtpmap:96 VP8/90000\r\n', codecs.join('')],
    ['a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n', ''],
  );
  const { producers } = await publishText(text);
  expect(producers[1]?.rtpParameters.codecs.map((codec) => codec.payloadType)).toEqual([payloadType]);
});

it('a codec that the hub has not is passed over for one that it has', async () => {
  const text = plainOffer(
    ['SAVPF 96 97', 'SAVPF 100 96 97'],
    ['a=rtpmap:96', 'a=rtpmap:100 H265/90000\r\na=rtpmap:96'],
  );
  const { producers } = await publishText(text);
  expect(producers[1]?.rtpParameters.codecs[0]).toMatchObject({ mimeType: 'video/VP8', payloadType: 96 });
});

it('a publisher that names no SSRC is told apart by its mid', async () => {
  const text = plainOffer(
    ['a=ssrc:1001 cname:plain\r\n', ''],
    ['a=ssrc-group:FID 2001 2002\r\na=ssrc:2001 cname:plain\r\na=ssrc:2002 cname:plain\r\n', ''],
  );
  const { producers } = await publishText(text);
  expect(producers.map(({ rtpParameters }) => rtpParameters.encodings?.map(({ ssrc }) => ssrc))).toEqual([
    [undefined],
    [undefined],
  ]);
});

it.each([
  ['a viewer’s offer', plainOffer(['a=sendonly', 'a=recvonly']), 'unusable-sdp', 'recvonly'],
  ['an inactive section', plainOffer(['a=sendonly', 'a=inactive']), 'unusable-sdp', 'inactive'],
  ['audio that is not Opus', plainOffer(['opus/48000/2', 'PCMU/8000']), 'no-common-codec', 'audio/PCMU'],
  ['H265', plainOffer(['VP8/90000', 'H265/90000']), 'no-common-codec', 'video/H265'],
])('%s is a 422', async (_, text, code, said) => {
  await expect(publishText(text)).rejects.toMatchObject({
    name: 'Problem',
    status: 422,
    code,
    message: expect.stringContaining(said),
  });
});

it('one SSRC for audio and video is a 422', async () => {
  const text = plainOffer(['a=ssrc:1001', 'a=ssrc:2001']);
  await expect(publishText(text)).rejects.toMatchObject({ name: 'Problem', status: 422 });
});

it('a refused offer leaves no producer', async () => {
  const transport = await workers.createSessionTransport(hub.media, hub.router);
  await expect(
    publish(readOffer(plainOffer(['VP8/90000', 'H265/90000'])), transport, hub.router),
  ).rejects.toThrow();
  expect((await hub.router.dump()).mapProducerIdConsumerIds).toEqual([]);
});

it.each([
  [
    ['l', 'm', 'h'],
    ['l', 'm', 'h'],
  ],
  [
    ['h', 'm', 'l'],
    ['l', 'm', 'h'],
  ],
  [
    ['f', 'h', 'q'],
    ['q', 'h', 'f'],
  ],
  [
    ['q', 'h', 'f'],
    ['q', 'h', 'f'],
  ],
  [
    ['0', '1', '2'],
    ['0', '1', '2'],
  ],
  [
    ['2', '1', '0'],
    ['0', '1', '2'],
  ],
  [
    ['low', 'medium', 'high'],
    ['low', 'medium', 'high'],
  ],
  [
    ['high', 'medium', 'low'],
    ['low', 'medium', 'high'],
  ],
  [
    ['full', 'half'],
    ['half', 'full'],
  ],
  [
    ['r0', 'r1', 'r2'],
    ['r0', 'r1', 'r2'],
  ],
  [[], []],
])('layers %j are %j from the smallest', (rids, ordered) => {
  expect(orderLayers(rids)).toEqual(ordered);
});

it('orders the same layers, and leaves the list that it was given', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 4 })), (rids) => {
      const before = [...rids];
      const ordered = orderLayers(rids);
      expect(ordered.toSorted()).toEqual(before.toSorted());
      expect(rids).toEqual(before);
      expect(ordered).not.toBe(rids);
    }),
  );
});
