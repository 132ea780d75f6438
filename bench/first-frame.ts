// How long viewers wait for their first picture, near and far, with regions side by side and with a world between them.

import { setTimeout as sleep } from 'node:timers/promises';
import { Hosts } from '#local/hosts.ts';
import { startWorld, type World } from '#local/world.ts';
import { startChromium } from '#test/media/chromium.ts';
import { play, told } from '#test/media/client-page.ts';
import { Publisher } from '#test/media/libwebrtc.ts';
import { type FarApi, farApi } from './far-api.ts';
import { measure, UNUSED_STREAM_TIMEOUT } from './join.ts';
import type { BenchResult } from './result.ts';
import { summary } from './statistics.ts';
import { Watcher } from './watcher.ts';

const REGIONS = ['us-east-1', 'eu-west-1'] as const;
/** Round trips between the regions, ms: none, and about what lies between these two. */
const ROUND_TRIPS = [0, 80];
const FIRST_FRAMES = 15;

/** @throws Error when this is not Linux, or not root: regions are network namespaces. */
export async function run(): Promise<BenchResult> {
  const measured: BenchResult[] = [];
  for (const roundTrip of ROUND_TRIPS) measured.push(await withWan(roundTrip));
  measured.push(await inChromium());
  return {
    rows: measured.flatMap(({ rows }) => rows),
    details: measured.map(({ details }) => details),
    notes: [
      'Chromium and its rows’ publisher are on the machine’s own loopback, where the local page may ask.',
      'Viewers are near their region, on a host of its own there. What lies between the regions delays media and the call for a leg: one round trip on a connection that is open, two more on a new one (TCP, TLS 1.3).',
      'The stream map is one database without delay: of a stream that has been live for a second, a replica says the same.',
      'The publisher is libwebrtc (VP8, 320 × 180, 30 fps) and makes a key frame when asked, at most every 300 ms.',
    ],
  };
}

async function withWan(roundTrip: number): Promise<BenchResult> {
  const hosts = await Hosts.open(REGIONS);
  const farApis: FarApi[] = [];
  const watchers: Watcher[] = [];
  const watchFrom = async (region: string) => {
    const watcher = await Watcher.start(await hosts.add(region));
    watchers.push(watcher);
    return watcher.watch;
  };
  try {
    await hosts.wan.set(REGIONS, { delay: roundTrip / 2, jitter: 0, loss: 0 });
    const world = await startWorld({
      regions: REGIONS,
      ports: { page: 0, api: 0, global: 0, dns: 0 },
      restart: false,
      hosts,
      reach: async (_, { api }) => {
        if (roundTrip === 0) return api;
        const far = await farApi({ api, host: hosts.address, roundTrip });
        farApis.push(far);
        return far.url;
      },
      env: { MERIDIAN_UNUSED_STREAM_TIMEOUT_MS: String(UNUSED_STREAM_TIMEOUT), MERIDIAN_CPU_LIMIT: '1' },
    });
    try {
      const [near, far] = REGIONS;
      const viewers = { near: await watchFrom(near), far: await watchFrom(far) };
      const { rows, details } = await measure(world, FIRST_FRAMES, viewers);
      return { rows: rows.map((row) => ({ 'round trip ms': roundTrip, ...row })), details };
    } finally {
      await world.close();
    }
  } finally {
    await Promise.all(watchers.map((watcher) => watcher.close()));
    for (const far of farApis) far.close();
    await hosts.close();
  }
}

/** Between joins, ms: past the publisher's pause between key frames. */
const PAUSE = 400;

/** From the call that starts Meridian's own player to the first picture on the screen, after both forms of offer. */
async function inChromium(): Promise<BenchResult> {
  const world = await startWorld({
    regions: REGIONS,
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    env: { MERIDIAN_CPU_LIMIT: '1' },
  });
  try {
    return await watchInChromium(world);
  } finally {
    await world.close();
  }
}

async function watchInChromium(world: World): Promise<BenchResult> {
  const [near] = world.regions;
  const publisher = await Publisher.start({
    url: `${near?.api}/whip/in-chromium`,
    token: world.publishToken,
  });
  const browser = await startChromium();
  const url = `${near?.api}/whep/in-chromium`;
  try {
    const rows: BenchResult['rows'] = [];
    const details: Record<string, number[]> = {};
    for (const counterOffer of [false, true]) {
      const times: number[] = [];
      while (times.length < FIRST_FRAMES) {
        const page = await browser.open(`${world.page}/client/index.js`);
        await play(page, { url, counterOffer, statsInterval: 100 });
        times.push(await firstFrame(() => told(page)));
        await page.close();
        await sleep(PAUSE);
      }
      const form = counterOffer ? 'counter-offer' : 'plain 201';
      details[form] = times;
      rows.push({
        'round trip ms': 0,
        ...summary(`Chromium, click → first frame on the screen, ${form}`, times),
      });
    }
    return { rows, details };
  } finally {
    await browser.close();
    await publisher.stop();
  }
}

/** @throws Error when there is none in 20 s. */
async function firstFrame(look: () => ReturnType<typeof told>): Promise<number> {
  for (let tries = 0; tries < 200; tries += 1) {
    const { stats, errors } = await look();
    if (stats && 'firstFrame' in stats && stats.firstFrame !== undefined) return stats.firstFrame;
    if (errors.length > 0) throw new Error(`the player in Chromium: ${errors.join('; ')}`);
    await sleep(100);
  }
  throw new Error('the player in Chromium showed nothing');
}
