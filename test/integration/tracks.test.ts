// Streams of sound only and of pictures only, and viewers who want less than there is.

import { describe, expect, test } from 'vitest';
import { Publisher, Viewer } from '#test/media/libwebrtc.ts';
import { eventually, newStream, regions, tree, whep, whip, world } from './support.ts';

describe('a stream', () => {
  test('of sound only is heard in another region, its video section inactive', async () => {
    const stream = newStream('sound');
    const publisher = await Publisher.start({
      url: whip(regions.us, stream),
      token: world.publishToken,
      video: false,
    });
    await eventually(
      () => tree(stream),
      (state) => state?.origin != null,
    );
    const viewer = await Viewer.start({ url: whep(regions.eu, stream) });
    await eventually(
      () => viewer.samples,
      (samples) => samples > 20_000,
    );
    expect(viewer.frames).toBe(0);
    expect(viewer.session.answer).toMatch(/m=video.*?a=inactive.*?m=audio.*?a=sendonly/s);
    await viewer.stop();
    await publisher.stop();
  });

  test('of pictures only is seen in another region', async () => {
    const stream = newStream('pictures');
    const publisher = await Publisher.start({
      url: whip(regions.us, stream),
      token: world.publishToken,
      audio: false,
    });
    await eventually(
      () => tree(stream),
      (state) => state?.origin != null,
    );
    const viewer = await Viewer.start({ url: whep(regions.eu, stream) });
    await viewer.watch(20);
    expect(viewer.samples).toBe(0);
    await viewer.stop();
    await publisher.stop();
  });
});
