// Chromium: every codec that it has from one region to another, and simulcast with all its layers.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Browser,
  type BrowserPublishOptions,
  publishFrom,
  sentHeights,
  startChromium,
  watchFrom,
} from '#test/media/chromium.ts';
import { Viewer } from '#test/media/libwebrtc.ts';
import { usePages } from './pages.ts';
import { eventually, live, newStream, nodesOf, regions, tree, whep, whip, world } from './support.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await startChromium();
});
afterAll(() => browser.close());

const { pages, open } = usePages(
  () => browser,
  () => world.page,
);

const publish = async (stream: string, options: Omit<BrowserPublishOptions, 'url' | 'token'> = {}) => {
  const codec = await publishFrom(await open(), {
    url: whip(regions.us, stream),
    token: world.publishToken,
    ...options,
  });
  await eventually(
    () => tree(stream),
    (state) => state?.origin != null,
  );
  return codec;
};

describe('Chromium', () => {
  test.each([
    'video/VP8',
    'video/VP9;profile-id=0',
    'video/AV1',
    'video/H264;profile-level-id=42e01f',
    'video/H264;profile-level-id=42001f',
    'video/H264;profile-level-id=4d001f',
  ])('sends %s to itself in another region', async (codec) => {
    const stream = newStream('codec');
    const mimeType = codec.split(';')[0];
    expect(await publish(stream, { codec })).toBe(mimeType);
    const watched = await watchFrom(await open(), { url: whep(regions.eu, stream), frames: 15 });
    expect(watched.codec).toBe(mimeType);
    expect(watched.audioSamples).toBeGreaterThan(0);
  });

  test('H264 of the high profile, which this Chromium has not got, crosses under its own name', async () => {
    const stream = newStream('high');
    const relabel = { from: '42e01f', to: '64001f' };
    await publish(stream, { codec: 'video/H264;profile-level-id=42e01f', relabel });
    const url = whep(regions.eu, stream);
    await expect(watchFrom(await open(), { url, frames: 1 })).rejects.toThrow(/H264 profile-level-id=64001f/);
    expect((await watchFrom(await open(), { url, frames: 15, relabel })).codec).toBe('video/H264');
  });

  test('its simulcast arrives in every region with all three layers', async () => {
    const stream = newStream('simulcast');
    await publish(stream, { codec: 'video/VP8', rids: ['l', 'm', 'h'] });
    const viewers = await Promise.all(
      [regions.eu, regions.ap].map((region) => Viewer.start({ url: whep(region, stream) })),
    );
    await eventually(
      () => live(stream),
      (state) =>
        [regions.eu, regions.ap].every((region) => {
          const video = nodesOf(state, region)[0]?.tracks.find(({ kind }) => kind === 'video');
          return video?.layers.length === 3 && video.layers.every(({ packets }) => packets > 20);
        }),
      30_000,
    );
    await Promise.all(viewers.map((viewer) => viewer.stop()));
  });

  test('limits the height of its own H264 simulcast, with a bandwidth estimate and without', async () => {
    const stream = newStream('limited');
    const publishing = await publish(stream, {
      codec: 'video/H264;profile-level-id=42e01f',
      rids: ['l', 'm', 'h'],
    });
    expect(publishing).toBe('video/H264');
    const [page] = pages;
    if (page === undefined) throw new Error('no page');
    await eventually(
      () => sentHeights(page),
      (sent) => Object.keys(sent).length === 3,
      30_000,
    );
    const { m = 0 } = await sentHeights(page);
    const url = `${whep(regions.eu, stream)}?maxHeight=${m}`;
    const viewer = await open();
    for (const counterOffer of [false, true]) {
      // Until the sizes are read it is shown the lowest; on a new leg, what comes first.
      const { heights } = await watchFrom(viewer, { url, frames: 60, fromHeight: m, counterOffer });
      expect(heights.at(-1)).toBe(m);
    }
  });

  test('takes a counter-offer when it asked for one, with the extensions that a bandwidth estimate needs', async () => {
    const stream = newStream('counter');
    await publish(stream, { codec: 'video/VP8', rids: ['l', 'm', 'h'] });
    const url = whep(regions.eu, stream);
    expect((await watchFrom(await open(), { url, frames: 5 })).extensions).toBe(0);
    const counterOffered = await watchFrom(await open(), { url, frames: 15, counterOffer: true });
    expect(counterOffered.codec).toBe('video/VP8');
    expect(counterOffered.extensions).toBeGreaterThan(3);
  });

  test('is watched by a client with other payload types, and both at once', async () => {
    const stream = newStream('layouts');
    await publish(stream, { codec: 'video/VP8' });
    // As Firefox numbers them.
    const renumbered = (offer: string) =>
      offer
        .replace(/^(m=video \d+ \S+) .*$/m, '$1 120')
        .replace(/^a=(rtpmap|fmtp|rtcp-fb):(?!96\b|111\b)\d+ .*\r\n/gm, '')
        .replace(/^a=(rtpmap|rtcp-fb):96 /gm, 'a=$1:120 ')
        .replace(/^(m=audio \d+ \S+) .*$/m, '$1 109')
        .replace(/^a=(rtpmap|fmtp|rtcp-fb):111 /gm, 'a=$1:109 ');
    const [chromium, others] = await Promise.all([
      watchFrom(await open(), { url: whep(regions.eu, stream), frames: 15 }),
      Promise.all([1, 2].map(() => Viewer.start({ url: whep(regions.eu, stream), mangle: renumbered }))),
    ]);
    expect(chromium.codec).toBe('video/VP8');
    for (const other of others) {
      expect(other.session.answer).toContain('a=rtpmap:120 VP8/90000');
      await eventually(
        () => other.decoded(),
        (frames) => frames > 15,
      );
      await eventually(
        () => other.samples,
        (samples) => samples > 1_000,
      );
    }
    await Promise.all(others.map((other) => other.stop()));
  });
});
