// The looks after viewers with a limit, on real mediasoup and a clock that the test moves.

import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { LayerWatch } from '#media-fleet/layers/layer-watch.ts';
import { ViewerLayers } from '#media-fleet/layers/viewer-layers.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { eventually } from '#test/eventually.ts';
import { openHub, silent, startWorkers } from '../media.ts';
import { sendLayers } from './sent-layers.ts';

/** By the watch's clock, which a look moves by a second, ms. */
const LOOKS_FOR = 120_000;

let workers: Workers;
beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());

it('a viewer with a limit gets the layer that fits, and another once the publisher has resized its source', async () => {
  const { media, router } = await openHub(workers);
  const sent = await sendLayers(router, 3);
  const transport = await workers.createSessionTransport(media, router);
  const consumer = await transport.consume({
    producerId: sent.track.id,
    rtpCapabilities: router.rtpCapabilities,
  });
  const viewer = new ViewerLayers({ maxHeight: 360 });
  await viewer.attach(sent.track, consumer, true);
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  const watch = new LayerWatch({
    hub: () => router,
    tracks: () => [sent.track],
    viewers: () => [viewer],
    log: silent,
  });
  const readings = vi.spyOn(router, 'createDirectTransport');
  /** Looks once a second of the watch's clock until the viewer is to get this layer. */
  const looksUntil = (layer: number) =>
    eventually(
      async () => {
        vi.advanceTimersByTime(1_000);
        return consumer.preferredLayers?.spatialLayer;
      },
      (preferred) => preferred === layer,
      LOOKS_FOR,
    );
  try {
    await looksUntil(1);
    sent.heights = [90, 180, 360];
    await looksUntil(2);
    sent.heights = [360, 720, 1_440];
    await looksUntil(0);
    // Each reading costs the publisher a key frame: none sooner than 10 s after another.
    expect(readings.mock.calls.length).toBeLessThanOrEqual(1 + performance.now() / 10_000);
  } finally {
    watch.close();
    vi.useRealTimers();
    sent.stop();
    router.close();
  }
});
