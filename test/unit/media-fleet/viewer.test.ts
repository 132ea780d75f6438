// A viewer's offer matched with a stream, and the tracks that its session consumes.

import { once } from 'node:events';
import type { Consumer, Producer } from 'mediasoup/types';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { EventLog } from '#media-fleet/events/event-log.ts';
import { Outlet } from '#media-fleet/outlet.ts';
import { publish } from '#media-fleet/publication.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import { planViewing, Viewer, viewedSections } from '#media-fleet/viewer.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { type Hub, openHub, silent, startWorkers } from './media.ts';
import { type OfferName, offerText, plainOffer } from './sdp/offers.ts';

let workers: Workers;
let hub: Hub;
let tracks: Producer[];

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  hub = await openHub(workers);
  tracks = await publishTracks(plainOffer());
});
afterEach(() => hub.router.close());

async function publishTracks(text: string): Promise<Producer[]> {
  const transport = await workers.createSessionTransport(hub.media, hub.router);
  return (await publish(readOffer(text), transport, hub.router)).producers;
}

const RECEIVING: [RegExp, string] = [/a=sendonly/g, 'a=recvonly'];
const plan = (text: string, shown = tracks) => planViewing(readOffer(text), shown, hub.router, 'concert');
const planFor = (name: OfferName) => plan(offerText(name));

it('a viewer gets each track in the payload type that it offered', () => {
  expect(planFor('chromium-viewer').layout.map(({ kind, payloadType }) => [kind, payloadType])).toEqual([
    ['audio', 111],
    ['video', 96],
  ]);
  expect(planFor('firefox-viewer').layout.map(({ kind, payloadType }) => [kind, payloadType])).toEqual([
    ['video', 120],
    ['audio', 109],
  ]);
});

it('H264 is matched by its profile and mode, not by its name', async () => {
  const own = await publishTracks(offerText('obs-publisher').replaceAll('33820408', '23820408'));
  const { layout } = plan(offerText('chromium-viewer'), own);
  const offered = readOffer(offerText('chromium-viewer')).media[1]?.codecs ?? [];
  const chosen = offered.find(({ payloadType }) => payloadType === layout[1]?.payloadType);
  expect(chosen?.parameters).toMatchObject({ 'profile-level-id': '42e01f', 'packetization-mode': 1 });
});

it('answers with the feedback that is acted on, and with neither extensions nor retransmission codec', () => {
  const [, video] = planFor('chromium-viewer').media;
  expect(video).toMatchObject({ direction: 'sendonly', extensions: [], receiveRids: [], msid: 'concert' });
  expect(video?.codec.rtxPayloadType).toBeUndefined();
  expect(video?.codec.rtcpFeedback).toEqual([
    { type: 'ccm', parameter: 'fir' },
    { type: 'nack' },
    { type: 'nack', parameter: 'pli' },
  ]);
});

it('a section for which the stream has no track is inactive, and the rest plays', () => {
  const audio = tracks.filter(({ kind }) => kind === 'audio');
  const { layout, media } = plan(offerText('chromium-viewer'), audio);
  expect(layout).toHaveLength(1);
  expect(media.map(({ direction }) => direction)).toEqual(['sendonly', 'inactive']);
});

it('an offer that also sends is taken, and only sent to', () => {
  const { media } = plan(plainOffer([/a=sendonly/g, 'a=sendrecv']));
  expect(media.map(({ direction }) => direction)).toEqual(['sendonly', 'sendonly']);
});

it.each([
  ['a publisher’s offer', plainOffer(), 'unusable-sdp', 'sendonly'],
  ['another codec', plainOffer(RECEIVING, ['VP8/90000', 'VP9/90000']), 'no-common-codec', 'video/VP8'],
])('%s is a 422 that says why', (_, text, code, said) => {
  expect(() => plan(text)).toThrow(
    expect.objectContaining({ status: 422, code, message: expect.stringContaining(said) }),
  );
});

it('an offer for which the stream has nothing at all is a 422', () => {
  const [audio] = plainOffer(RECEIVING, ['BUNDLE 0 1', 'BUNDLE 0']).split('m=video');
  const video = tracks.filter(({ kind }) => kind === 'video');
  expect(() => plan(audio ?? '', video)).toThrow(
    expect.objectContaining({ status: 422, code: 'no-common-codec' }),
  );
});

it('an offer of one payload type for audio and video is refused with a 422', () => {
  const text = plainOffer(
    RECEIVING,
    ['SAVPF 111', 'SAVPF 96'],
    ['rtpmap:111', 'rtpmap:96'],
    ['fmtp:111', 'fmtp:96'],
  );
  expect(() => plan(text)).toThrow(expect.objectContaining({ status: 422 }));
});

/** A viewer on the hub itself, and every consumer that it makes. */
async function openViewer(connectWithin = 60_000): Promise<{ viewer: Viewer; consumers: Consumer[] }> {
  const offer = readOffer(plainOffer(RECEIVING));
  const transport = await workers.createSessionTransport(hub.media, hub.router);
  const consumers: Consumer[] = [];
  transport.observer.on('newconsumer', (consumer) => consumers.push(consumer));
  const viewer = new Viewer({
    transport,
    remote: offer,
    outlet: Outlet.onHub(hub.router, hub.media),
    sections: viewedSections(plan(plainOffer(RECEIVING)), hub.router.rtpCapabilities),
    offered: hub.router.rtpCapabilities,
    events: { stream: 'concert', log: new EventLog() },
    connectWithin,
    log: silent,
  });
  return { viewer, consumers };
}

const producers = (consumers: Consumer[]) =>
  consumers
    .filter(({ closed }) => !closed)
    .map(({ producerId }) => producerId)
    .toSorted();
const idsOf = (shown: readonly Producer[]) => shown.map(({ id }) => id).toSorted();

it('consumes each track in its section’s mid and payload type', async () => {
  const { viewer, consumers } = await openViewer();
  await viewer.show(tracks);
  expect(
    consumers
      .map(({ kind, rtpParameters: { mid, codecs } }) => [
        kind,
        mid,
        codecs.map(({ payloadType }) => payloadType),
      ])
      .toSorted(),
  ).toEqual([
    ['audio', '0', [111]],
    ['video', '1', [96]],
  ]);
  viewer.close('deleted');
});

it('a new source takes the old one’s place in the same sections', async () => {
  const { viewer, consumers } = await openViewer();
  await viewer.show(tracks);
  const others = await publishTracks(plainOffer([/1001/g, '1003'], [/2001/g, '2003'], [/2002/g, '2004']));
  await viewer.show(others);
  expect(producers(consumers)).toEqual(idsOf(others));
  expect(consumers.map(({ rtpParameters }) => rtpParameters.mid).toSorted()).toEqual(['0', '0', '1', '1']);
  viewer.close('deleted');
});

it('showing the same tracks again changes nothing', async () => {
  const { viewer, consumers } = await openViewer();
  await viewer.show(tracks);
  await viewer.show([...tracks]);
  expect(consumers).toHaveLength(2);
  expect(producers(consumers)).toEqual(idsOf(tracks));
  viewer.close('deleted');
});

it('of calls that come together the newest wins', async () => {
  const { viewer, consumers } = await openViewer();
  const others = await publishTracks(plainOffer([/1001/g, '1003'], [/2001/g, '2003'], [/2002/g, '2004']));
  await Promise.all([viewer.show(tracks), viewer.show([]), viewer.show(others), viewer.show(tracks)]);
  expect(producers(consumers)).toEqual(idsOf(tracks));
  viewer.close('deleted');
});

it('a track that went away meanwhile is left out, and a later one is shown', async () => {
  const { viewer, consumers } = await openViewer();
  const [audio, video] = tracks;
  video?.close();
  await viewer.show(tracks);
  expect(producers(consumers)).toEqual([audio?.id]);
  viewer.close('deleted');
});

it('a track of a codec that it did not negotiate ends it', async () => {
  const { viewer } = await openViewer();
  await viewer.show(tracks);
  const ended = once(viewer, 'end');
  await viewer.show(
    await publishTracks(plainOffer([/1001/g, '1003'], [/2001/g, '2003'], [/2002/g, '2004'], ['VP8', 'VP9'])),
  );
  expect(await ended).toEqual(['codec-changed']);
});

it('says which kinds it negotiated', async () => {
  const { viewer } = await openViewer();
  expect([viewer.wants('audio'), viewer.wants('video')]).toEqual([true, true]);
  viewer.close('deleted');
});

it('an ended viewer consumes nothing more', async () => {
  const { viewer, consumers } = await openViewer();
  viewer.close('deleted');
  await viewer.show(tracks);
  expect(consumers).toEqual([]);
});

it('ends when its media never connects', async () => {
  const { viewer } = await openViewer(20);
  const [why] = await once(viewer, 'end');
  expect(why).toBe('never-connected');
  expect(viewer.transport.closed).toBe(true);
});
