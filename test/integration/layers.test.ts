// Simulcast layers as viewers of another region get them: by their link, by their wish, by the height of the picture.

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Browser, publishFrom, sentFrames, sentHeights, startChromium } from '#test/media/chromium.ts';
import { Viewer, type ViewOptions } from '#test/media/libwebrtc.ts';
import { LossyLink } from '#test/media/lossy-link.ts';
import { eventually, newStream, regions, tree, whep, whip, world } from './support.ts';

/** Of a region of the local world. */
const EDGES = 2;

let browser: Browser;
let page: Page;
const stream = newStream('layers');
const viewers: Viewer[] = [];

const watch = async (query = '', options: Partial<ViewOptions> = {}) => {
  const viewer = await Viewer.start({ url: `${whep(regions.eu, stream)}${query}`, ...options });
  viewers.push(viewer);
  return viewer;
};

const choose = async ({ session }: Viewer, layer: object) => {
  const response = await fetch(`${session.location}/layer`, { method: 'POST', body: JSON.stringify(layer) });
  return { status: response.status, text: await response.text() };
};

/** Resolves when the viewer is shown this layer; what height that is the publisher knows. */
const shown = (viewer: Viewer, rid: string, within = 20_000) =>
  eventually(
    async () => ({ sent: await sentHeights(page), height: viewer.height }),
    ({ sent, height }) => height !== undefined && sent[rid] === height,
    within,
  );

beforeAll(async () => {
  browser = await startChromium();
  page = await browser.open(world.page);
  await publishFrom(page, {
    url: whip(regions.us, stream),
    token: world.publishToken,
    codec: 'video/VP8',
    rids: ['l', 'm', 'h'],
  });
  await eventually(
    () => tree(stream),
    (state) => state?.origin != null,
  );
  // Chromium begins with the lower layers, and adds the highest when its own estimate allows.
  await eventually(
    () => sentHeights(page),
    (sent) => Object.keys(sent).length === 3,
    30_000,
  );
  // On a new leg a viewer may get another layer first: so there is a viewer on every node.
  const nodes = new Set<string>();
  while (nodes.size < EDGES) {
    const viewer = await watch();
    nodes.add(viewer.session.node);
    await choose(viewer, { rid: 'l' });
    await shown(viewer, 'l');
  }
});
afterAll(async () => {
  await Promise.all(viewers.map((viewer) => viewer.stop().catch(() => undefined)));
  await browser.close();
});

test('without a bandwidth estimate a viewer begins with the lowest layer and climbs to the highest', async () => {
  const viewer = await watch();
  expect(viewer.session.answer).not.toContain('a=extmap');
  const begun = await eventually(
    () => viewer.height,
    (height) => height !== undefined,
  );
  expect(begun).toBe((await sentHeights(page)).l);
  await shown(viewer, 'm');
  await shown(viewer, 'h');
});

test('a viewer whose link begins to lose a quarter of the packets goes down to the lowest', async () => {
  const link = await LossyLink.open();
  const viewer = await watch('', { mangleAnswer: (answer) => link.through(answer) });
  await shown(viewer, 'h');
  link.loseEvery = 4;
  await shown(viewer, 'l');
  await viewer.stop();
  link.close();
});

// Chromium's VP8 is of three temporal layers: three pictures of four belong to the upper two.
test('a viewer gets every picture of its layer', async () => {
  const viewer = await watch();
  expect(await choose(viewer, { rid: 'l' })).toMatchObject({ status: 200 });
  await shown(viewer, 'l');
  const [sent, decoded] = [await sentFrames(page, 'l'), viewer.decoded()];
  const more = await eventually(
    async () => (await sentFrames(page, 'l')) - sent,
    (count) => count >= 60,
  );
  // Some are on their way, and some were lost to a machine that is busy.
  expect(viewer.decoded() - decoded).toBeGreaterThan(0.6 * more);
  await viewer.stop();
});

test('a viewer gets the layer that it names, and the best for its link when it names none', async () => {
  const viewer = await watch();
  expect(await choose(viewer, { mediaId: '0', encodingId: 'h' })).toMatchObject({ status: 200 });
  await shown(viewer, 'h');
  expect(await choose(viewer, { spatialLayerId: 1 })).toMatchObject({ status: 200 });
  await shown(viewer, 'm');
  expect(await choose(viewer, { rid: 'h', maxSpatialLayerId: 0 })).toMatchObject({ status: 200 });
  await shown(viewer, 'l');
  expect(await choose(viewer, { mediaId: '0' })).toMatchObject({ status: 200 });
  await shown(viewer, 'h');
});

test('a limit of the height holds from the first picture on, and can be changed', async () => {
  const limited = async () => (await sentHeights(page)).m ?? 0;
  const viewer = await watch(`?maxHeight=${await limited()}`);
  const seen = new Set<number>();
  const noting = async () => {
    seen.add(viewer.height ?? 0);
    return viewer.height;
  };
  await eventually(noting, (height) => height !== undefined);
  const { m = 0, h = 0 } = await sentHeights(page);
  await eventually(noting, (height) => height === m);
  expect(seen.has(h)).toBe(false);
  expect(await choose(viewer, { maxHeight: 4_320 })).toMatchObject({ status: 200 });
  await shown(viewer, 'h');
  expect(await choose(viewer, { maxWidth: 1 })).toMatchObject({ status: 200 });
  await shown(viewer, 'l');
});

test('a layer or section that is not there is a 422 that names those that are', async () => {
  const viewer = await watch();
  expect(await choose(viewer, { rid: 'x' })).toMatchObject({
    status: 422,
    text: expect.stringContaining('l, m, h'),
  });
  expect(await choose(viewer, { spatialLayerId: 3 })).toMatchObject({ status: 422 });
  expect(await choose(viewer, { temporalLayerId: 3 })).toMatchObject({ status: 422 });
  expect(await choose(viewer, { mediaId: '7' })).toMatchObject({
    status: 422,
    text: expect.stringContaining('video is 0'),
  });
});
