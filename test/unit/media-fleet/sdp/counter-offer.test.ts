// Counter-offers: the hub's own numbers offered to a player, and what is read of its answer.

import type { Producer } from 'mediasoup/types';
import sdpTransform, { type SessionDescription } from 'sdp-transform';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publish } from '#media-fleet/publication.ts';
import { answeredSections, writeCounterOffer } from '#media-fleet/sdp/counter-offer.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { type Hub, openHub, startWorkers } from '../media.ts';
import { offerText } from './offers.ts';

let workers: Workers;
let hub: Hub;
let tracks: Producer[];
let text: string;
let offer: SessionDescription;

beforeAll(async () => {
  workers = await startWorkers();
  hub = await openHub(workers);
  const publisher = await workers.createSessionTransport(hub.media, hub.router);
  tracks = (await publish(readOffer(offerText('chromium-publisher')), publisher, hub.router)).producers;
  const transport = await workers.createSessionTransport(hub.media, hub.router);
  text = writeCounterOffer(transport, tracks, hub.router.rtpCapabilities, 'concert');
  offer = sdpTransform.parse(text);
});
afterAll(() => workers.close());

it('offers every track in the hub’s numbers, with retransmissions of video', () => {
  expect(offer.media.map(({ type, direction, mid, msid }) => [type, direction, mid, msid?.[0]?.id])).toEqual([
    ['audio', 'sendonly', 0, 'concert'],
    ['video', 'sendonly', 1, 'concert'],
  ]);
  const [audio, video] = tracks.map(({ consumableRtpParameters }) => consumableRtpParameters.codecs);
  expect(offer.media[0]?.rtp.map(({ payload }) => payload)).toEqual([audio?.[0]?.payloadType]);
  expect(offer.media[1]?.rtp.map(({ payload }) => payload)).toEqual(
    video?.map(({ payloadType }) => payloadType),
  );
});

it('is an offer: it leaves the DTLS role to the player, in one bundle, with every candidate', () => {
  expect(offer.icelite).toBe('ice-lite');
  expect(offer.groups).toEqual([{ type: 'BUNDLE', mids: '0 1' }]);
  for (const section of offer.media) expect(section).toMatchObject({ setup: 'actpass', rtcpMux: 'rtcp-mux' });
  expect(offer.media.map(({ candidates = [] }) => candidates.length)).toEqual([2, 0]);
  expect(text).not.toContain('a=ssrc');
  expect(() => readOffer(text)).not.toThrow();
});

it('a header extension has one number, and a number one extension', () => {
  const all = offer.media.flatMap(({ ext = [] }) => ext.map(({ value, uri }) => `${value} ${uri}`));
  const distinct = [...new Set(all)];
  for (const part of [0, 1]) {
    const parts = distinct.map((line) => line.split(' ')[part]);
    expect(new Set(parts).size).toBe(distinct.length);
  }
  expect(distinct.join()).toContain('transport-wide-cc');
});

/** The counter-offer turned round, as a player that takes all of it answers. */
const answer = () => readOffer(text.replaceAll('a=sendonly', 'a=recvonly').replaceAll('actpass', 'active'));

it('an answer that takes it all has its codecs and extensions', () => {
  const { rtpCapabilities } = hub.router;
  const sections = answeredSections(answer(), rtpCapabilities, tracks);
  expect(sections.map(({ kind, mid }) => [kind, mid])).toEqual([
    ['audio', '0'],
    ['video', '1'],
  ]);
  expect(sections[1]?.capabilities.codecs.map(({ mimeType }) => mimeType)).toEqual([
    'video/VP8',
    'video/rtx',
  ]);
  expect(sections[1]?.capabilities.headerExtensions.map(({ preferredId }) => preferredId).toSorted()).toEqual(
    offer.media[1]?.ext?.map(({ value }) => value).toSorted(),
  );
});

it('what the answer leaves out is not used', () => {
  const { media, ...rest } = answer();
  const [audio, video] = media.map((section) => ({
    ...section,
    extensions: [],
    codecs: section.codecs.map((codec) => ({ ...codec, rtxPayloadType: undefined })),
  }));
  if (audio === undefined || video === undefined) throw new Error('two sections were offered');
  const inactive = { ...audio, direction: 'inactive' as const };
  const sections = answeredSections(
    { ...rest, media: [inactive, video] },
    hub.router.rtpCapabilities,
    tracks,
  );
  expect(sections).toMatchObject([{ kind: 'video', capabilities: { headerExtensions: [] } }]);
  expect(sections[0]?.capabilities.codecs.map(({ mimeType }) => mimeType)).toEqual(['video/VP8']);
});

it('a number for another extension than it was offered for is not believed', () => {
  const { media, ...rest } = answer();
  const swapped = media.map((section) => ({
    ...section,
    extensions: section.extensions.map(({ id, uri }, n, all) => ({ id, uri: all[n + 1]?.uri ?? uri })),
  }));
  const [, video] = answeredSections({ ...rest, media: swapped }, hub.router.rtpCapabilities, tracks);
  expect(video?.capabilities.headerExtensions.length).toBeLessThanOrEqual(1);
});

it('an answer that takes nothing is a 422', () => {
  const nothing = readOffer(text.replaceAll('a=sendonly', 'a=inactive'));
  expect(() => answeredSections(nothing, hub.router.rtpCapabilities, tracks)).toThrow(
    expect.objectContaining({ status: 422, code: 'no-common-codec' }),
  );
});

it.each([
  ['another codec under the track’s number', 'a=rtpmap:96 VP9/90000'],
  ['a codec of the hub’s that the track has not', 'a=rtpmap:98 VP9/90000\r\na=fmtp:98 profile-id=0'],
])('an answer with %s takes the other section alone', (_, codec) => {
  const answered = text
    .replaceAll('a=sendonly', 'a=recvonly')
    .replaceAll('actpass', 'active')
    .replace('SAVPF 96', 'SAVPF 98 96')
    .replace('a=rtpmap:96 VP8/90000', codec);
  const sections = answeredSections(readOffer(answered), hub.router.rtpCapabilities, tracks);
  expect(sections.map(({ kind }) => kind)).toEqual(['audio']);
});

it('has a section for data channels where the player asked for one', async () => {
  const transport = await workers.createSessionTransport(hub.media, hub.router, { maxMessageSize: 0 });
  const written = writeCounterOffer(transport, tracks, hub.router.rtpCapabilities, 'concert', true);
  expect(readOffer(written, { data: true })).toMatchObject({
    data: { mid: '2', protocol: 'UDP/DTLS/SCTP', index: 2, maxMessageSize: 1_024 },
  });
  expect(text).not.toContain('m=application');
  transport.close();
});
