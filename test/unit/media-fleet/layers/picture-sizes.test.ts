// Picture sizes of a real track's layers, read from packets that went through the worker.

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { hasReadableSizes, readPictureSizes } from '#media-fleet/layers/picture-sizes.ts';
import { layerBitrates, TrackLayers } from '#media-fleet/layers/track-layers.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { type Hub, openHub, startWorkers } from '../media.ts';
import { HEIGHTS, type SentLayers, sendLayers } from './sent-layers.ts';

/** A source of half the height. */
const RESIZED = HEIGHTS.map((height) => height / 2);

let workers: Workers;
let hub: Hub;
let sent: SentLayers | undefined;

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  hub = await openHub(workers);
});
afterEach(() => {
  sent?.stop();
  hub.router.close();
});

it('every layer’s size is known after its key frame, and a new one after the next reading', async () => {
  sent = await sendLayers(hub.router, 3);
  const { track } = sent;
  expect(hasReadableSizes(track)).toBe(true);
  await readPictureSizes(track, hub.router, [0, 1, 2]);
  expect([...TrackLayers.of(track).sizes].toSorted(([a], [b]) => a - b)).toEqual([
    [0, { width: 320, height: 180 }],
    [1, { width: 640, height: 360 }],
    [2, { width: 1280, height: 720 }],
  ]);
  expect((await layerBitrates(track)).every((bitrate) => bitrate > 0)).toBe(true);
  sent.heights = RESIZED;
  await readPictureSizes(track, hub.router, [0, 1, 2]);
  expect([0, 1, 2].map((layer) => TrackLayers.of(track).sizes.get(layer)?.height)).toEqual(RESIZED);
});

it('a layer that is not sent stays unknown, and nothing is left open', async () => {
  sent = await sendLayers(hub.router, 2);
  const { track } = sent;
  await readPictureSizes(track, hub.router, [0, 1, 2]);
  expect([...TrackLayers.of(track).sizes.keys()].toSorted()).toEqual([0, 1]);
  expect((await layerBitrates(track))[2]).toBe(0);
  const { mapProducerIdConsumerIds } = await hub.router.dump();
  expect(mapProducerIdConsumerIds).toEqual([{ key: track.id, values: [] }]);
});

it('a track that ends meanwhile ends the reading', async () => {
  sent = await sendLayers(hub.router, 0);
  const { track } = sent;
  const read = readPictureSizes(track, hub.router, [0]);
  setImmediate(() => track.close());
  await read.catch(() => undefined);
  expect(TrackLayers.of(track).sizes.size).toBe(0);
});
