// What the server tells Meridian's own player, and what the player does about it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorld, type World } from '#local/world.ts';
import { type Browser, startChromium } from '#test/media/chromium.ts';
import { becomes, callsOf, close, play, publish, setLayer, told } from '#test/media/client-page.ts';
import { usePages } from './pages.ts';
import { eventually, newStream, nodesOf, readTree, regionAt, whep, whip } from './support.ts';

let world: World;
let browser: Browser;
beforeAll(async () => {
  // Of its own, for a node is drained.
  world = await startWorld({
    regions: ['us-east-1'],
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    env: { MERIDIAN_CPU_LIMIT: '1', MERIDIAN_DRAIN_MS: '20000' },
  });
  browser = await startChromium();
});
afterAll(async () => {
  await browser?.close();
  await world?.close();
});

const { pages, open } = usePages(
  () => browser,
  () => `${world.page}/client/index.js`,
);
const region = () => regionAt(world, 0);
const serving = async (stream: string) =>
  nodesOf((await readTree(stream, region(), world.apiSecret)) ?? never(), region())
    .filter(({ viewers }) => viewers > 0)
    .map(({ nodeId }) => nodeId);

async function broadcast(what: string, size: [number, number] = [640, 360]) {
  const stream = newStream(what);
  const page = await open();
  await publish(page, { url: whip(region(), stream), token: world.publishToken, codec: 'VP8' }, { size });
  await becomes(page, 'live');
  await eventually(
    () => readTree(stream, region(), world.apiSecret),
    (state) => state?.origin != null,
  );
  return stream;
}
const heard = (page: Page, wanted: readonly string[]) =>
  eventually(
    () => told(page),
    ({ events }) => wanted.every((name) => events.includes(name)),
  );

test('hears by its data channel how the stream does, and says who serves it', async () => {
  const stream = await broadcast('channel');
  const page = await open();
  await play(page, { url: whep(region(), stream) });
  await becomes(page, 'playing');
  await heard(page, ['active', 'viewercount', 'layers']);
  const { stats } = await eventually(
    () => told(page),
    ({ stats }) => stats !== undefined,
  );
  expect(stats).toMatchObject({ region: region().id, node: (await serving(stream))[0] });
  expect(await callsOf(page)).toEqual(['POST 406', 'PATCH 204']);
});

test('hears how the stream does when that comes before it knows that its answer was taken', async () => {
  const stream = await broadcast('early');
  const page = await open();
  await page.evaluate(() => {
    const { prototype } = RTCPeerConnection;
    const create = prototype.createDataChannel;
    prototype.createDataChannel = function createDataChannel(...options) {
      const channel = create.apply(this, options);
      channel.addEventListener('message', ({ data }) => document.body.append(data));
      return channel;
    };
  });
  await page.route(
    (url) => url.pathname.includes('/whep/'),
    async (route) => {
      const response = await route.fetch();
      if (route.request().method() === 'PATCH')
        await page.getByText('viewercount').waitFor({ state: 'attached' });
      await route.fulfill({ response });
    },
  );
  await play(page, { url: whep(region(), stream) });
  await becomes(page, 'playing');
  await heard(page, ['active', 'viewercount', 'layers']);
});

test('is stalled while nobody publishes, asks for no ICE restart meanwhile, and plays again', async () => {
  const stream = await broadcast('paused');
  const [publishing] = pages;
  const page = await open();
  await play(page, { url: whep(region(), stream) });
  await becomes(page, 'playing');
  await heard(page, ['active']);
  if (publishing === undefined) never();
  await close(publishing);
  await heard(page, ['inactive']);
  await becomes(page, 'stalled');
  const { states, calls } = await told(page);
  // As long as a player that was not told takes to doubt the way, twice.
  await sleep(5_000);
  expect((await told(page)).states).toEqual(states);
  expect((await told(page)).calls).toEqual(calls);
  await publish(
    await open(),
    { url: whip(region(), stream), token: world.publishToken, codec: 'VP8' },
    { size: [640, 360] },
  );
  await becomes(page, 'playing');
});

test('hears the same by server-sent events where there is no data channel', async () => {
  const stream = await broadcast('polling');
  const page = await open();
  await page.evaluate(() => {
    RTCPeerConnection.prototype.createDataChannel = () => {
      throw new Error('no data channels here');
    };
  });
  await play(page, { url: whep(region(), stream) });
  await becomes(page, 'playing');
  await heard(page, ['active', 'viewercount', 'layers']);
  expect((await callsOf(page)).slice(0, 4)).toEqual(['POST 406', 'PATCH 204', 'POST 201', 'GET 200']);
});

test('shows the layer that is chosen, and the server’s own choice after that', async () => {
  const stream = await broadcast('chosen', [1280, 720]);
  const page = await open();
  await play(page, { url: whep(region(), stream) });
  await becomes(page, 'playing');
  await setLayer(page, { maxHeight: 180 });
  await eventually(
    () => told(page),
    ({ stats }) => stats?.frameHeight === 180,
    30_000,
  );
  await setLayer(page, {});
  await eventually(
    () => told(page),
    ({ stats }) => (stats?.frameHeight ?? 0) > 180,
    30_000,
  );
  await expect(setLayer(page, { encodingId: 'none' })).rejects.toThrow(/none/);
});

test('goes to another node when its own is drained, and never stops playing', async () => {
  const stream = await broadcast('drained');
  const page = await open();
  await play(page, { url: whep(region(), stream) });
  await becomes(page, 'playing');
  const [before] = await eventually(
    () => serving(stream),
    (nodes) => nodes.length === 1,
  );
  world.nodes.find(({ nodeId }) => nodeId === before)?.child.process.kill('SIGTERM');
  await eventually(
    () => serving(stream),
    (nodes) => nodes.length === 1 && nodes[0] !== before,
    30_000,
  );
  const { events, states } = await told(page);
  expect(events).toContain('reconnect');
  expect(states).toEqual(['joining', 'connecting', 'playing']);
});

function never(): never {
  throw new Error('unreachable');
}
