// Answers to the offers of the clients in use, from a real transport, read back as a client reads them.

import { randomUUID } from 'node:crypto';
import type { Producer } from 'mediasoup/types';
import sdpTransform, { type MediaDescription, type SessionDescription } from 'sdp-transform';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publish } from '#media-fleet/publication.ts';
import { writeAnswer } from '#media-fleet/sdp/answer.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import { planViewing } from '#media-fleet/viewer.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { MAX_SDP_BYTES, sessionAnswer } from '#routing/node-messages.ts';
import { type Hub, openHub, startWorkers } from '../media.ts';
import {
  DATA_SECTION,
  OFFERS,
  type OfferName,
  offerText,
  PUBLISHERS,
  plainOffer,
  VIEWERS,
} from './offers.ts';

let workers: Workers;
let hub: Hub;
let tracks: Producer[];
const answers = new Map<OfferName, string>();

beforeAll(async () => {
  workers = await startWorkers();
  hub = await openHub(workers);
  for (const name of PUBLISHERS) {
    const own = await openHub(workers);
    const transport = await workers.createSessionTransport(own.media, own.router);
    answers.set(name, (await publish(readOffer(offerText(name)), transport, own.router)).answer);
    own.router.close();
  }
  const publisher = await workers.createSessionTransport(hub.media, hub.router);
  tracks = (await publish(readOffer(plainOffer()), publisher, hub.router)).producers;
  for (const name of VIEWERS) answers.set(name, await viewerAnswer(name, tracks));
});
afterAll(() => workers.close());

async function viewerAnswer(name: OfferName, shown: Producer[]): Promise<string> {
  const offer = readOffer(offerText(name));
  const transport = await workers.createSessionTransport(hub.media, hub.router);
  const answer = writeAnswer(offer, transport, planViewing(offer, shown, hub.router, 'concert').media);
  transport.close();
  return answer;
}

const answerTo = (name: OfferName): SessionDescription => sdpTransform.parse(answers.get(name) ?? '');
/** Payload types of the m= line. */
const payloads = ({ payloads: text }: MediaDescription) => String(text).split(' ').map(Number);

it.each(OFFERS)('%s: is SDP, every line of it', (name) => {
  const lines = (answers.get(name) ?? '').split('\r\n');
  expect(lines.pop(), 'ends in a line end').toBe('');
  for (const line of lines) expect(line).toMatch(/^[a-z]=\S/);
  expect(lines.slice(0, 4)).toEqual([
    'v=0',
    expect.stringMatching(/^o=- \d+ 1 IN IP4 127\.0\.0\.1$/),
    's=-',
    't=0 0',
  ]);
});

it.each(OFFERS)('%s: the sections are the offer’s, in its order, all in one bundle', (name) => {
  const offer = readOffer(offerText(name));
  const answer = answerTo(name);
  const mids = offer.media.map(({ mid }) => mid);
  expect(answer.media.map(({ mid }) => String(mid))).toEqual(mids);
  expect(answer.groups).toEqual([{ type: 'BUNDLE', mids: mids.join(' ') }]);
  expect(answer.media.map(({ type, protocol, port }) => ({ type, protocol, port }))).toEqual(
    offer.media.map(({ kind, protocol }) => ({ type: kind, protocol, port: 9 })),
  );
});

it.each(OFFERS)('%s: one codec a section, with the offer’s payload type', (name) => {
  for (const [index, section] of answerTo(name).media.entries()) {
    const offered = readOffer(offerText(name)).media[index];
    const [codec, rtx, ...more] = section.rtp;
    expect(more).toEqual([]);
    expect(payloads(section)).toEqual(section.rtp.map(({ payload }) => payload));
    const match = offered?.codecs.find(({ payloadType }) => payloadType === codec?.payload);
    expect(match?.mimeType).toBe(`${section.type}/${codec?.codec}`);
    expect(section.fmtp.find(({ payload }) => payload === codec?.payload)?.config).toBe(match?.fmtp);
    if (rtx) {
      expect(rtx).toMatchObject({ payload: match?.rtxPayloadType, codec: 'rtx' });
      expect(section.fmtp).toContainEqual({ payload: rtx.payload, config: `apt=${codec?.payload}` });
    }
  }
});

it.each(OFFERS)('%s: every candidate stands in the first section, and that there are no more', (name) => {
  const [first, ...others] = answerTo(name).media;
  expect(first?.candidates).toMatchObject([
    { component: 1, transport: 'udp', ip: '203.0.113.7', type: 'host' },
    { component: 1, transport: 'tcp', ip: '203.0.113.7', type: 'host', tcptype: 'passive' },
  ]);
  expect(first?.endOfCandidates).toBe('end-of-candidates');
  for (const section of others) {
    expect(section.candidates).toBeUndefined();
    expect(section.endOfCandidates).toBeUndefined();
  }
});

it.each(OFFERS)('%s: one transport: ICE lite, DTLS server, RTCP on the same port', (name) => {
  const answer = answerTo(name);
  expect(answer).toMatchObject({
    icelite: 'ice-lite',
    fingerprint: { type: 'sha-256', hash: expect.stringMatching(/^(\w\w:){31}\w\w$/) },
  });
  const [first] = answer.media;
  for (const section of answer.media) {
    expect(section).toMatchObject({
      iceUfrag: first?.iceUfrag,
      icePwd: first?.icePwd,
      setup: 'passive',
      rtcpMux: 'rtcp-mux',
      rtcpRsize: 'rtcp-rsize',
    });
  }
  expect(answers.get(name)).toContain('\r\na=rtcp-mux-only\r\n');
});

it.each(OFFERS)('%s: names no SSRC, so that the source may change', (name) => {
  expect(answers.get(name)).not.toContain('a=ssrc');
});

it.each(PUBLISHERS)('%s: receives, with extensions of the offer’s own numbers', (name) => {
  for (const [index, section] of answerTo(name).media.entries()) {
    expect(section.direction).toBe('recvonly');
    const offered = readOffer(offerText(name)).media[index]?.extensions ?? [];
    for (const { value, uri } of section.ext ?? []) expect(offered).toContainEqual({ id: value, uri });
  }
});

it('Chromium’s publisher gets transport-wide congestion control and no REMB', () => {
  const video = answerTo('chromium-publisher').media[1];
  expect(video?.ext?.map(({ uri }) => uri)).toContain(
    'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  );
  const feedback = video?.rtcpFb?.map(({ type, subtype = '' }) => `${type} ${subtype}`.trim());
  expect(feedback).toEqual(['transport-cc', 'ccm fir', 'nack', 'nack pli']);
});

it('a publisher without transport-wide congestion control gets REMB', () => {
  for (const name of ['obs-publisher', 'aiortc-publisher'] as const) {
    expect(answerTo(name).media[1]?.rtcpFb?.map(({ type }) => type)).toContain('goog-remb');
  }
});

it('simulcast is received in the offer’s order', () => {
  const video = answerTo('chromium-simulcast').media[1];
  expect(video?.simulcast).toEqual({ dir1: 'recv', list1: 'h;m;l' });
  expect(video?.rids).toMatchObject(['h', 'm', 'l'].map((id) => ({ id, direction: 'recv' })));
});

it.each(VIEWERS)('%s: sends one stream, without extensions or retransmission codecs', (name) => {
  const { media } = answerTo(name);
  for (const section of media) {
    expect(section).toMatchObject({
      direction: 'sendonly',
      msid: [{ id: 'concert', appdata: section.type }],
    });
    expect(section).not.toHaveProperty('ext');
    expect(section.rtp).toHaveLength(1);
    expect((section.rtcpFb ?? []).map(({ type }) => type)).not.toContain('goog-remb');
    expect((section.rtcpFb ?? []).map(({ type }) => type)).not.toContain('transport-cc');
  }
});

it('Firefox’s viewer gets Firefox’s payload types', () => {
  expect(answerTo('firefox-viewer').media.map(({ type, rtp }) => [type, rtp[0]?.payload])).toEqual([
    ['video', 120],
    ['audio', 109],
  ]);
});

it('a section that the stream has nothing for is inactive, and still in the bundle', async () => {
  const answer = sdpTransform.parse(
    await viewerAnswer(
      'chromium-viewer',
      tracks.filter(({ kind }) => kind === 'audio'),
    ),
  );
  expect(answer.media.map(({ type, direction }) => [type, direction])).toEqual([
    ['audio', 'sendonly'],
    ['video', 'inactive'],
  ]);
  expect(answer.media[1]).not.toHaveProperty('msid');
  expect(answer.groups).toEqual([{ type: 'BUNDLE', mids: '0 1' }]);
});

it('a client that is the DTLS server is told that we are the client', async () => {
  const own = await openHub(workers);
  const transport = await workers.createSessionTransport(own.media, own.router);
  const { answer } = await publish(
    readOffer(plainOffer(['setup:actpass', 'setup:passive'])),
    transport,
    own.router,
  );
  expect(sdpTransform.parse(answer).media.map(({ setup }) => setup)).toEqual(['active', 'active']);
  own.router.close();
});

it('the session id fits 63 bits (RFC 8829 section 5.2.1)', async () => {
  const offer = readOffer(offerText('chromium-viewer'));
  const transport = await workers.createSessionTransport(hub.media, hub.router);
  const { media } = planViewing(offer, tracks, hub.router, 'concert');
  const ids = Array.from({ length: 300 }, () =>
    BigInt(/^o=- (\d+) /m.exec(writeAnswer(offer, transport, media))?.[1] ?? -1),
  );
  transport.close();
  expect(new Set(ids).size).toBe(300);
  expect(ids.filter((id) => id >= 2n ** 63n)).toEqual([]);
});

it.each([0, 1, 2])(
  'data channels offered in section %i are answered there, in the bundle, once more with candidates only if first',
  async (index) => {
    const [head = '', audio = '', video = ''] = plainOffer(
      [/sendonly/g, 'recvonly'],
      ['BUNDLE 0 1', 'BUNDLE 0 1 2'],
    ).split(/(?=m=)/);
    const sections = [audio, video];
    sections.splice(index, 0, DATA_SECTION);
    const offer = readOffer([head, ...sections].join(''), { data: true });
    const transport = await workers.createSessionTransport(hub.media, hub.router, offer.data);
    const { media } = planViewing(offer, tracks, hub.router, 'concert');
    const answer = sdpTransform.parse(writeAnswer(offer, transport, media));
    transport.close();
    const mids = ['0', '1'];
    mids.splice(index, 0, '2');
    expect(answer.media.map(({ mid }) => String(mid))).toEqual(mids);
    expect(answer.groups).toEqual([{ type: 'BUNDLE', mids: mids.join(' ') }]);
    expect(answer.media.map(({ candidates = [] }) => candidates.length > 0)).toEqual([true, false, false]);
    expect(answer.media[index]).toMatchObject({
      type: 'application',
      port: 9,
      protocol: 'UDP/DTLS/SCTP',
      payloads: 'webrtc-datachannel',
      setup: 'passive',
      sctpPort: 5_000,
      maxMessageSize: 1_024,
      iceUfrag: answer.media[(index + 1) % 3]?.iceUfrag,
    });
  },
);

it('the answer to an offer as long as one can be is no longer than a function takes', async () => {
  const lines = (line: string, length: number) => line.repeat(Math.floor(length / line.length));
  const longs = plainOffer(
    ['useinbandfec=1', `useinbandfec=1;x=${'1'.repeat(4_000)}`],
    ['BUNDLE 0 1', `BUNDLE ${'a'.repeat(2_000)} ${'b'.repeat(2_000)}`],
    ['a=mid:0', `a=mid:${'a'.repeat(2_000)}`],
    ['a=mid:1', `a=mid:${'b'.repeat(2_000)}`],
  );
  const offer = longs.replace(
    'a=rtcp-fb:96 nack\r\n',
    lines('a=rtcp-fb:96 nack\r\n', MAX_SDP_BYTES - longs.length),
  );
  const own = await openHub(workers);
  const transport = await workers.createSessionTransport(own.media, own.router);
  const { answer } = await publish(readOffer(offer), transport, own.router);
  own.router.close();
  expect(answer.length).toBeGreaterThan(MAX_SDP_BYTES);
  const message = { v: 1, sessionId: randomUUID(), answer, etag: '"x"' };
  expect(sessionAnswer.parse(message)).toEqual(message);
});
