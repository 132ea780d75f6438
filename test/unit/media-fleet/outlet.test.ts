// Outlets: a router for each layout of payload types, fed by a pipe from the hub, or the hub itself.

import type { Producer } from 'mediasoup/types';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { Layout } from '#media-fleet/codecs.ts';
import { hubServes, Outlet } from '#media-fleet/outlet.ts';
import { publish } from '#media-fleet/publication.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { type Hub, openHub, startWorkers } from './media.ts';
import { plainOffer } from './sdp/offers.ts';

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

const layout = (audio: number, video: number): Layout => [
  { kind: 'audio', payloadType: audio, codec: { mimeType: 'audio/opus', clockRate: 48_000, channels: 2 } },
  { kind: 'video', payloadType: video, codec: { mimeType: 'video/VP8', clockRate: 90_000 } },
];
const payloadTypes = (shown: readonly Producer[]) =>
  shown.map(({ consumableRtpParameters }) => consumableRtpParameters.codecs[0]?.payloadType);

it('the hub serves a layout of its own numbers, and no other', () => {
  expect(hubServes(layout(111, 96), tracks)).toBe(true);
  expect(hubServes(layout(109, 96), tracks)).toBe(false);
  expect(hubServes(layout(111, 120), tracks)).toBe(false);
  expect(hubServes(layout(111, 96), tracks.slice(0, 1)), 'no video to serve').toBe(false);
  expect(hubServes(layout(111, 96).slice(0, 1), tracks), 'audio only').toBe(true);
});

it('the hub as an outlet shows the hub’s tracks, and outlives the outlet', async () => {
  const outlet = Outlet.onHub(hub.router, hub.media);
  await outlet.feed(hub.router, tracks);
  expect(outlet.router).toBe(hub.router);
  expect(outlet.tracks).toEqual(tracks);
  outlet.close();
  expect(hub.router.closed).toBe(false);
});

it.each([
  [109, 120],
  [96, 97],
  [35, 45],
])('an outlet of Opus %i and VP8 %i has these numbers, and the tracks in them', async (audio, video) => {
  const outlet = await Outlet.forLayout(layout(audio, video), workers, hub.media);
  await outlet.feed(hub.router, tracks);
  expect(outlet.tracks.map(({ kind }) => kind)).toEqual(['audio', 'video']);
  expect(payloadTypes(outlet.tracks)).toEqual([audio, video]);
  outlet.close();
});

it('several outlets are fed at once', async () => {
  const outlets = await Promise.all(
    [layout(109, 120), layout(96, 97)].map((wanted) => Outlet.forLayout(wanted, workers, hub.media)),
  );
  await Promise.all(outlets.map((outlet) => outlet.feed(hub.router, tracks)));
  expect(outlets.map(({ tracks: shown }) => payloadTypes(shown))).toEqual([
    [109, 120],
    [96, 97],
  ]);
  for (const outlet of outlets) outlet.close();
});

it('leaves out a track whose codec the layout has not', async () => {
  const outlet = await Outlet.forLayout(layout(109, 120), workers, hub.media);
  const others = await publishTracks(
    plainOffer([/1001/g, '1003'], [/2001/g, '2003'], [/2002/g, '2004'], ['VP8', 'VP9']),
  );
  await outlet.feed(hub.router, others);
  expect(outlet.tracks.map(({ kind }) => kind)).toEqual(['audio']);
  outlet.close();
});

it('leaves out a track that closes while it is fed, and shows the next', async () => {
  const outlet = await Outlet.forLayout(layout(109, 120), workers, hub.media);
  const feeding = outlet.feed(hub.router, tracks);
  for (const track of tracks) track.close();
  await feeding;
  expect(outlet.tracks.filter(({ closed }) => !closed)).toEqual([]);
  await outlet.feed(hub.router, await publishTracks(plainOffer()));
  expect(payloadTypes(outlet.tracks)).toEqual([109, 120]);
  outlet.close();
});

it('shows the new tracks when it is fed again, and carries the old ones no more though they go on', async () => {
  const outlet = await Outlet.forLayout(layout(109, 120), workers, hub.media);
  await outlet.feed(hub.router, tracks);
  const before = [...outlet.tracks];
  const others = await publishTracks(plainOffer([/1001/g, '1003'], [/2001/g, '2003'], [/2002/g, '2004']));
  await outlet.feed(hub.router, others);
  expect(outlet.tracks).toHaveLength(2);
  expect(before.map(({ closed }) => closed)).toEqual([true, true]);
  expect(tracks.map(({ closed }) => closed)).toEqual([false, false]);
  outlet.close();
});

it('fed twice at once it shows what it was fed with last, whichever is ready first', async () => {
  const outlet = await Outlet.forLayout(layout(109, 120), workers, hub.media);
  const others = await publishTracks(plainOffer([/1001/g, '1005'], [/2001/g, '2005'], [/2002/g, '2006']));
  const pipe = hub.router.pipeToRouter.bind(hub.router);
  const late = vi.spyOn(hub.router, 'pipeToRouter').mockImplementationOnce(async (options) => {
    await second;
    return pipe(options);
  });
  const { promise: second, resolve } = Promise.withResolvers<void>();
  const first = outlet.feed(hub.router, tracks);
  await outlet.feed(hub.router, others);
  const shown = [...outlet.tracks];
  resolve();
  await first;
  late.mockRestore();
  expect(outlet.tracks).toEqual(shown);
  expect(shown.map(({ closed }) => closed)).toEqual([false, false]);
  outlet.close();
});

it('closing it frees its router, and not the hub', async () => {
  const { routers } = workers.open;
  const outlet = await Outlet.forLayout(layout(109, 120), workers, hub.media);
  expect(workers.open.routers).toBe(routers + 1);
  outlet.close();
  expect(workers.open.routers).toBe(routers);
  expect(hub.router.closed).toBe(false);
});
