// Meridian's own player and publisher in Chromium: every way in, and that none of them leaves a session behind.

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, publishFrom, startChromium } from '#test/media/chromium.ts';
import { becomes, callsOf, close, play, publish, shownIn, told } from '#test/media/client-page.ts';
import { usePages } from './pages.ts';
import { eventually, live, newStream, nodesOf, regions, token, tree, whep, whip, world } from './support.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await startChromium();
});
afterAll(() => browser.close());

const { open } = usePages(
  () => browser,
  () => `${world.page}/client/index.js`,
);

const viewersIn = async (stream: string, region: { id: string }) =>
  nodesOf(await live(stream), region).reduce((sum, { viewers }) => sum + viewers, 0);
const broadcast = async (what: string) => {
  const stream = newStream(what);
  await publishFrom(await open(), {
    url: whip(regions.us, stream),
    token: world.publishToken,
    codec: 'video/VP8',
  });
  await eventually(
    () => tree(stream),
    (state) => state?.origin != null,
  );
  return stream;
};

describe('the player', () => {
  test('plays by a counter-offer, says what it measures, and ends its session', async () => {
    const stream = await broadcast('player');
    const page = await open();
    await play(page, { url: whep(regions.eu, stream) });
    await becomes(page, 'playing');
    const { stats, states } = await eventually(
      () => told(page),
      ({ stats }) =>
        stats !== undefined && 'firstFrame' in stats && stats.firstFrame !== undefined && stats.bitrate > 0,
    );
    expect(stats).toMatchObject({ mode: 'counter-offer', packetsLost: 0 });
    expect(stats?.frameWidth).toBeGreaterThan(0);
    expect(states).toEqual(['joining', 'connecting', 'playing']);
    // A server without events refuses the first offer, which has a data section.
    const isPlain = (call: string) => call !== 'POST 422';
    expect((await callsOf(page)).filter(isPlain)).toEqual(['POST 406', 'PATCH 204']);
    await close(page);
    expect((await callsOf(page)).at(-1)).toBe('DELETE 200');
    expect((await told(page)).states.at(-1)).toBe('closed');
    await eventually(
      () => viewersIn(stream, regions.eu),
      (viewers) => viewers === 0,
    );
  });

  test('plays by a 201 where the server makes no counter-offer, or its CORS has no Prefer', async () => {
    const stream = await broadcast('plain');
    const [ignored, refused] = [await open(), await open()];
    await ignored.route('**/whep/**', async (route) => {
      const { prefer: _, ...headers } = route.request().headers();
      await route.continue({ headers });
    });
    await refused.route('**/whep/**', async (route) => {
      if (route.request().headers().prefer === undefined) await route.continue();
      else await route.abort();
    });
    for (const page of [ignored, refused]) {
      await play(page, { url: whep(regions.eu, stream) });
      await becomes(page, 'playing');
      const { stats } = await eventually(
        () => told(page),
        ({ stats }) => stats !== undefined,
      );
      expect(stats).toMatchObject({ mode: 'answer' });
      await close(page);
    }
  });

  test('waits for a stream that is not live, longer each time, and plays when it is', async () => {
    const stream = newStream('early');
    const page = await open();
    await play(page, { url: whep(regions.us, stream) });
    const { errors } = await becomes(page, 'waiting');
    expect(errors).toEqual([`waiting: Nobody is publishing ${stream} now; try again when it is live.`]);
    const publisher = await open();
    await publish(publisher, { url: whip(regions.us, stream), token: world.publishToken });
    await becomes(publisher, 'live');
    await becomes(page, 'playing');
    expect(await callsOf(page)).toContain('POST 409');
  });

  test('fails for good where no other try will help', async () => {
    const page = await open();
    await play(page, { url: whep(regions.us, 'not a stream name') });
    const { errors } = await becomes(page, 'failed');
    expect(errors).toEqual([expect.stringMatching(/^failed: Stream: /)]);
  });

  test('that is closed before the answer comes ends the session that was opened for it', async () => {
    const stream = await broadcast('late');
    const page = await open();
    const answered = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    await page.route('**/whep/**', async (route) => {
      const response = await route.fetch();
      if (response.status() === 406) {
        answered.resolve();
        await released.promise;
      }
      await route.fulfill({ response });
    });
    await play(page, { url: whep(regions.us, stream) });
    await answered.promise;
    await close(page);
    released.resolve();
    await eventually(
      () => callsOf(page),
      (calls) => calls.includes('DELETE 200'),
    );
    expect(await callsOf(page)).not.toContain('PATCH 204');
    expect(await viewersIn(stream, regions.us)).toBe(0);
  });

  test('leaves no session when its page goes', async () => {
    const stream = await broadcast('leaving');
    const page = await open();
    const session = page.waitForResponse((response) => response.status() === 406);
    await play(page, { url: whep(regions.us, stream) });
    await becomes(page, 'playing');
    await eventually(
      () => viewersIn(stream, regions.us),
      (viewers) => viewers === 1,
    );
    await page.goto('about:blank');
    await eventually(
      () => viewersIn(stream, regions.us),
      (viewers) => viewers === 0,
    );
    // One that had ended by itself would still take its DELETE.
    const url = (await (await session).allHeaders()).location ?? '';
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(404);
  });

  test('goes over to where the server tells it to, by server-sent events, and plays on meanwhile', async () => {
    const stream = await broadcast('moving');
    const page = await open();
    // What the server's events look like, whether or not this one has them.
    const seen: string[] = [];
    await page.evaluate(() => {
      RTCPeerConnection.prototype.createDataChannel = () => {
        throw new Error('no data channels here');
      };
    });
    await page.route(/\/whep\/[^/]+\/[^/]+\/events/, async (route) => {
      const request = route.request();
      seen.push(
        `${request.method()} ${request.postData() ?? request.headers()['last-event-id'] ?? ''}`.trim(),
      );
      const headers = { 'access-control-allow-origin': '*', 'access-control-expose-headers': '*' };
      if (request.method() === 'POST') {
        await route.fulfill({ status: 201, headers: { ...headers, location: `${request.url()}/1` } });
      } else {
        const data = JSON.stringify({ url: whep(regions.ap, stream) });
        const first = request.headers()['last-event-id'] === undefined;
        const body = first ? `retry: 300\nid: 7\nevent: reconnect\ndata: ${data}\n\n` : 'retry: 300\n\n';
        await route.fulfill({
          status: 200,
          headers: { ...headers, 'content-type': 'text/event-stream' },
          body,
        });
      }
    });
    await page.route(/\/whep\/[^/]+$/, async (route) => {
      const response = await route.fetch();
      const headers = { ...response.headers() };
      const events = `<${headers.location}/events>; rel="urn:ietf:params:whep:ext:core:server-sent-events"; events="viewercount,reconnect"`;
      const isEurope = route.request().url().startsWith(regions.eu.api);
      await route.fulfill({ response, headers: { ...headers, ...(isEurope ? { link: events } : {}) } });
    });
    await play(page, { url: whep(regions.eu, stream) });
    await becomes(page, 'playing');
    await eventually(
      async () => [await viewersIn(stream, regions.eu), await viewersIn(stream, regions.ap)],
      ([eu, ap]) => eu === 0 && ap === 1,
    );
    expect(seen.slice(0, 2)).toEqual(['POST ["viewercount","reconnect"]', 'GET']);
    expect((await told(page)).events).toEqual(['reconnect']);
    // It never stopped playing.
    expect((await told(page)).states).toEqual(['joining', 'connecting', 'playing']);
    const before = await shownIn(page);
    await eventually(
      () => shownIn(page),
      (shown) => shown > before + 5,
    );
  });
});

describe('the publisher', () => {
  test('sends as many layers as its picture has room for, within its bitrate', async () => {
    const stream = newStream('layers');
    const page = await open();
    await publish(
      page,
      { url: whip(regions.us, stream), token: world.publishToken, codec: 'VP8', maxBitrate: 600_000 },
      { size: [1280, 720] },
    );
    await becomes(page, 'live');
    const state = await eventually(
      () => tree(stream),
      (now) => now?.origin != null && videoOf(now)?.layers.length === 3,
      // The browser's first estimate is less than the largest layer needs.
      30_000,
    );
    expect(videoOf(state)?.codec).toBe('video/VP8');
    const { stats } = await eventually(
      () => told(page),
      ({ stats }) => stats !== undefined && stats.frames > 30,
    );
    expect(stats).toMatchObject({ layers: [{ rid: 'l' }, { rid: 'm' }, { rid: 'h' }] });
    // What is on the wire has some room above the target.
    expect(stats?.bitrate).toBeLessThan(2 * 600_000);
  });

  test('that another one took over from stops, and takes nothing back', async () => {
    const stream = newStream('rivals');
    const [first, second] = [await open(), await open()];
    const options = { url: whip(regions.us, stream), token: world.publishToken };
    await publish(first, options);
    await becomes(first, 'live');
    await publish(second, options);
    const { errors } = await becomes(first, 'superseded');
    expect(errors).toEqual(['superseded: Another publisher took the stream over.']);
    await becomes(second, 'live');
    expect(await postsOf([first, second])).toBe(2);
  });

  test('finds out by a 409 where the server does not say who ended it', async () => {
    const stream = newStream('untold');
    const [first, second] = [await open(), await open()];
    await first.route('**/whip/**', async (route) => {
      if (route.request().method() === 'PATCH')
        await route.fulfill({ status: 404, headers: { 'access-control-allow-origin': '*' } });
      else await route.continue();
    });
    await publish(first, { url: whip(regions.us, stream), token: await token() }, { waits: 250 });
    await becomes(first, 'live');
    await publish(second, { url: whip(regions.us, stream), token: await token({ takeover: 'always' }) });
    const { states, errors } = await becomes(first, 'superseded');
    expect(states.slice(-4)).toEqual(['live', 'waiting', 'joining', 'superseded']);
    expect(errors.at(-1)).toContain('is being published with another token');
    await becomes(second, 'live');
  });

  test('two that both insist come back ever more slowly', async () => {
    const stream = newStream('storm');
    const [first, second] = [await open(), await open()];
    const options = {
      url: whip(regions.us, stream),
      token: world.publishToken,
      onTakeover: 'retry' as const,
    };
    await publish(first, options, { waits: 250 });
    await becomes(first, 'live');
    await publish(second, options, { waits: 250 });
    const posts = () => postsOf([first, second]);
    await eventually(posts, (count) => count >= 8, 40_000);
    const started = performance.now();
    const before = await posts();
    await eventually(posts, (count) => count > before, 40_000);
    // The waits by then: 250 ms doubled three times and more, of each of the two.
    expect(performance.now() - started).toBeGreaterThan(500);
  });
});

const videoOf = (state: Awaited<ReturnType<typeof tree>>) =>
  state && nodesOf(state, regions.us)[0]?.tracks.find(({ kind }) => kind === 'video');

const postsOf = async (pages: Page[]) =>
  (await Promise.all(pages.map(callsOf))).flat().filter((call) => call.startsWith('POST')).length;
