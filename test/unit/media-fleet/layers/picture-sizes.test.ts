// Picture sizes of a real track's layers, read from packets that went through the worker.

import type { Producer } from 'mediasoup/types';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { lacksSizes, readPictureSizes } from '#media-fleet/layers/picture-sizes.ts';
import { layerBitrates, TrackLayers } from '#media-fleet/layers/track-layers.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { type Hub, openHub, startWorkers } from '../media.ts';

const SSRCS = [1_001, 1_002, 1_003];
const HEIGHTS = [180, 360, 720];

let workers: Workers;
let hub: Hub;
let sending: NodeJS.Timeout;

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  hub = await openHub(workers);
});
afterEach(() => {
  clearInterval(sending);
  hub.router.close();
});

/** A VP8 key frame in one packet: RTP header, payload descriptor, frame header. */
function keyFrame(sequence: number, ssrc: number, height: number): Buffer {
  const packet = Buffer.from(`8060${'00'.repeat(10)}10${'00'.repeat(3)}9d012a${'00'.repeat(4)}`, 'hex');
  packet.writeUInt16BE(sequence & 0xffff, 2);
  packet.writeUInt32BE(3_000 * sequence, 4);
  packet.writeUInt32BE(ssrc, 8);
  packet.writeUInt16LE((height * 16) / 9, 19);
  packet.writeUInt16LE(height, 21);
  return packet;
}

/** A track whose first layers send a key frame 50 times a second. */
async function sendLayers(count: number): Promise<Producer> {
  const transport = await hub.router.createDirectTransport();
  const track = await transport.produce({
    kind: 'video',
    rtpParameters: {
      codecs: [{ mimeType: 'video/VP8', payloadType: 96, clockRate: 90_000 }],
      encodings: SSRCS.map((ssrc) => ({ ssrc })),
    },
    appData: { layers: new TrackLayers([]) },
  });
  let sequence = 0;
  sending = setInterval(() => {
    sequence += 1;
    for (const [layer, ssrc] of SSRCS.slice(0, count).entries()) {
      track.send(keyFrame(sequence, ssrc, HEIGHTS[layer] ?? 0));
    }
  }, 20);
  return track;
}

it('every layer’s size is known after its key frame, and is not read again', async () => {
  const track = await sendLayers(3);
  expect(lacksSizes(track, [0, 1, 2])).toBe(true);
  await readPictureSizes(track, hub.router, [0, 1, 2]);
  expect([...TrackLayers.of(track).sizes].toSorted(([a], [b]) => a - b)).toEqual([
    [0, { width: 320, height: 180 }],
    [1, { width: 640, height: 360 }],
    [2, { width: 1280, height: 720 }],
  ]);
  expect(lacksSizes(track, [0, 1, 2])).toBe(false);
  expect((await layerBitrates(track)).every((bitrate) => bitrate > 0)).toBe(true);
});

it('a layer that is not sent stays unknown, and nothing is left open', async () => {
  const track = await sendLayers(2);
  await readPictureSizes(track, hub.router, [0, 1, 2]);
  expect([...TrackLayers.of(track).sizes.keys()].toSorted()).toEqual([0, 1]);
  expect(lacksSizes(track, [0, 1])).toBe(false);
  expect(lacksSizes(track, [2])).toBe(true);
  expect((await layerBitrates(track))[2]).toBe(0);
  const { mapProducerIdConsumerIds } = await hub.router.dump();
  expect(mapProducerIdConsumerIds).toEqual([{ key: track.id, values: [] }]);
});

it('a track that ends meanwhile ends the reading', async () => {
  const track = await sendLayers(0);
  const read = readPictureSizes(track, hub.router, [0]);
  setImmediate(() => track.close());
  await read.catch(() => undefined);
  expect(TrackLayers.of(track).sizes.size).toBe(0);
});
