// The outlets of a stream: shared, freed with their last viewer, and fed from another hub when the first one is gone.

import { once } from 'node:events';
import type { Producer } from 'mediasoup/types';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Layout } from '#media-fleet/codecs.ts';
import type { Outlet } from '#media-fleet/outlet.ts';
import { type OutletPlace, type OutletShare, Outlets } from '#media-fleet/outlets.ts';
import { publish } from '#media-fleet/publication.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import type { MediaWorker, Workers } from '#media-fleet/workers.ts';
import { type Hub, openHub, startWorkers } from './media.ts';
import { plainOffer } from './sdp/offers.ts';

let workers: Workers;
let home: Hub;
let other: MediaWorker;
let outlets: Outlets;

beforeEach(async () => {
  workers = await startWorkers({ count: 2 });
  home = await openHub(workers);
  await workers.createSessionTransport(home.media, home.router);
  other = workers.pick();
  outlets = new Outlets({ hub: home.router, worker: home.media }, workers);
});
afterEach(async () => {
  outlets.close();
  await workers.close();
});

async function tracksOn({ media, router }: Hub): Promise<Producer[]> {
  const transport = await workers.createSessionTransport(media, router);
  return (await publish(readOffer(plainOffer()), transport, router)).producers;
}
const layout = (audio: number, video: number): Layout => [
  { kind: 'audio', payloadType: audio, codec: { mimeType: 'audio/opus', clockRate: 48_000, channels: 2 } },
  { kind: 'video', payloadType: video, codec: { mimeType: 'video/VP8', clockRate: 90_000 } },
];
const failed = (_: Outlet, error: unknown) => {
  throw new Error('an outlet could not be fed', { cause: error });
};
const place = (key: string, media: MediaWorker, numbers = layout(111, 96)): OutletPlace => ({
  key,
  layout: numbers,
  media,
});

it('on the hub’s worker the hub itself is the outlet of its own numbers, on another it is not', async () => {
  const tracks = await tracksOn(home);
  expect((await outlets.acquire(place('near', home.media), tracks)).outlet.router).toBe(home.router);
  expect((await outlets.acquire(place('far', other), tracks)).outlet.router).not.toBe(home.router);
});

it('those of one key share one, which is freed with the last of them', async () => {
  const tracks = await tracksOn(home);
  const { routers } = workers.open;
  const [one, two] = await Promise.all([
    outlets.acquire(place('far', other), tracks),
    outlets.acquire(place('far', other), tracks),
  ]);
  expect(two.outlet).toBe(one.outlet);
  one.release();
  expect(one.outlet.closed).toBe(false);
  const closed = once(one.outlet.router.observer, 'close');
  two.release();
  await closed;
  expect(workers.open.routers).toBe(routers);
});

it('moved, an outlet of another worker is fed from the new hub, and stays the one that it was', async () => {
  const { outlet } = await outlets.acquire(place('far', other), await tracksOn(home));
  const before = [...outlet.tracks];
  home.router.close();
  const next = await openHub(workers);
  outlets.move({ hub: next.router, worker: next.media });
  const fed: Outlet[] = [];
  await outlets.feed(await tracksOn(next), { fed: async (shown) => fed.push(shown), failed });
  expect(fed).toEqual([outlet]);
  expect(outlet.tracks.map(({ kind, closed }) => [kind, closed])).toEqual([
    ['audio', false],
    ['video', false],
  ]);
  expect(outlet.tracks.some((track) => before.includes(track))).toBe(false);
});

it('one that cannot be fed is told of, and the others are fed; who comes next gets another', async () => {
  const tracks = await tracksOn(home);
  const ill = await outlets.acquire(place('ill', other), tracks);
  const well = await outlets.acquire(place('well', other), tracks);
  const pipe = home.router.pipeToRouter.bind(home.router);
  const pipes = vi.spyOn(home.router, 'pipeToRouter').mockImplementation(async (options) => {
    if (options.router === ill.outlet.router) throw new Error('no pipe');
    return pipe(options);
  });
  const told: unknown[] = [];
  const next = await tracksOn(home);
  await outlets.feed(next, {
    fed: async (outlet) => told.push([outlet, outlet.tracks.length]),
    failed: (outlet, error) => told.push([outlet, outlet.closed, String(error)]),
  });
  expect(told).toHaveLength(2);
  expect(told).toContainEqual([well.outlet, 2]);
  expect(told).toContainEqual([ill.outlet, false, 'Error: no pipe']);
  expect(ill.outlet.closed).toBe(true);
  const another = await outlets.acquire(place('ill', other), next);
  // Whoever still holds the ill one leaves that, and not the other.
  ill.release();
  expect([another.outlet.closed, another.outlet.tracks.length]).toEqual([false, 2]);
  pipes.mockRestore();
});

it('one whose router closed under its viewers is nobody else’s', async () => {
  const tracks = await tracksOn(home);
  const gone = await outlets.acquire(place('far', other), tracks);
  gone.outlet.router.close();
  const another = await outlets.acquire(place('far', other), tracks);
  gone.release();
  expect([another.outlet.closed, another.outlet.tracks.length]).toEqual([false, 2]);
});

it('one whose last viewer leaves while it is fed, or whose hub goes, has not failed', async () => {
  const { release } = await outlets.acquire(place('left', other), await tracksOn(home));
  const next = await tracksOn(home);
  const left = outlets.feed(next, { fed: async () => undefined, failed });
  release();
  await left;
  await outlets.acquire(place('orphaned', other), next);
  const orphaned = outlets.feed(await tracksOn(home), { fed: async () => undefined, failed });
  home.router.close();
  await orphaned;
});

it('moved, new outlets are of the new hub and its worker', async () => {
  home.router.close();
  const next = await openHub(workers);
  outlets.move({ hub: next.router, worker: next.media });
  const tracks = await tracksOn(next);
  expect((await outlets.acquire(place('near', next.media), tracks)).outlet.router).toBe(next.router);
  const far = next.media === other ? home.media : other;
  const { outlet } = await outlets.acquire(place('far', far), tracks);
  expect(outlet.router).not.toBe(next.router);
  expect(outlet.tracks).toHaveLength(2);
});

it('one that cannot be opened is forgotten: the next viewer tries anew', async () => {
  const tracks = await tracksOn(home);
  home.router.close();
  await expect(outlets.acquire(place('far', other), tracks)).rejects.toThrow();
  const next = await openHub(workers);
  outlets.move({ hub: next.router, worker: next.media });
  const { outlet } = await outlets.acquire(place('far', other), await tracksOn(next));
  expect(outlet.tracks).toHaveLength(2);
});

it('seventeen layouts are one too many: 503, until one is given up', async () => {
  const tracks = await tracksOn(home);
  const shares: OutletShare[] = [];
  for (let n = 0; n < 16; n += 1)
    shares.push(await outlets.acquire(place(`layout ${n}`, home.media), tracks));
  const seventeenth = () => outlets.acquire(place('one more', home.media), tracks);
  await expect(seventeenth()).rejects.toMatchObject({ status: 503, code: 'too-many-layouts' });
  expect(await outlets.acquire(place('layout 3', home.media), tracks)).toBeDefined();
  shares[5]?.release();
  await seventeenth();
});
