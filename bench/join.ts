// How long a viewer waits: POST to 201, and POST to the first decoded frame, near and far, first and next.

import { setTimeout as sleep } from 'node:timers/promises';
import { startWorld, type World } from '#local/world.ts';
import { readTree } from '#test/cascade-tree.ts';
import { eventually } from '#test/eventually.ts';
import { Publisher, Viewer } from '#test/media/libwebrtc.ts';
import { firstViewer } from './first-viewer.ts';
import type { BenchResult } from './result.ts';
import { summary } from './statistics.ts';
import { type Watch, watch } from './watch.ts';

const WARM_UP = 10;
const ANSWERS = 200;
const FIRST_FRAMES = 30;

/** Short, so that "first viewer of a region" can be measured again and again; ms. */
export const UNUSED_STREAM_TIMEOUT = 200;

export async function run(): Promise<BenchResult> {
  const world = await startWorld({
    regions: ['us-east-1', 'eu-west-1', 'ap-southeast-1'],
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    env: { MERIDIAN_UNUSED_STREAM_TIMEOUT_MS: String(UNUSED_STREAM_TIMEOUT) },
  });
  try {
    return await measure(world);
  } finally {
    await world.close();
  }
}

/** @param viewers how one watches in the first region and in the second. */
export async function measure(
  world: World,
  firstFrames = FIRST_FRAMES,
  viewers: { near: Watch; far: Watch } = { near: watch, far: watch },
): Promise<BenchResult> {
  const [near, far] = world.regions;
  if (!near || !far) throw new Error('the world has too few regions');
  const stream = 'bench';
  const publisher = await Publisher.start({ url: `${near.api}/whip/${stream}`, token: world.publishToken });
  const url = { near: `${near.api}/whep/${stream}`, far: `${far.api}/whep/${stream}` };
  const keeper = await firstViewer(url.near);
  await keeper.watch(5);
  // Near, too: the far region is to be without viewers.
  for (let count = 0; count < WARM_UP; count += 1) await viewers.far({ url: url.near, picture: true });
  const answers: number[] = [];
  for (let count = -WARM_UP; count < ANSWERS; count += 1) {
    const { answer } = await viewers.near({ url: url.near, picture: false });
    if (count >= 0) answers.push(answer);
  }

  const nearFrames = await frames(firstFrames, () => viewers.near({ url: url.near, picture: true }));
  const farFirst = await frames(firstFrames, async () => {
    await unused(world, stream, far.id);
    return viewers.far({ url: url.far, picture: true });
  });
  const farKeeper = await Viewer.start({ url: url.far });
  await farKeeper.watch(5);
  const farNext = await frames(firstFrames, () => viewers.far({ url: url.far, picture: true }));
  await Promise.all([keeper.stop(), farKeeper.stop(), publisher.stop()]);

  return {
    rows: [
      summary('POST → 201, warm, publisher’s region', answers),
      summary('POST → 201, first viewer of another region', farFirst.answers),
      summary('POST → first decoded frame, publisher’s region', nearFrames.firstFrames),
      summary('POST → first decoded frame, first viewer of another region', farFirst.firstFrames),
      summary('POST → first decoded frame, next viewer there', farNext.firstFrames),
    ],
    notes: [
      'One viewer joins at a time; all regions, nodes, publisher and viewers share this machine, without network delay.',
      'The publisher is libwebrtc (VP8, 320 × 180, 30 fps) and makes a key frame when asked, at most every 300 ms.',
    ],
    details: { answers, nearFrames, farFirst, farNext },
  };
}

async function frames(count: number, look: () => ReturnType<Watch>) {
  const [answers, firstFrames]: [number[], number[]] = [[], []];
  for (let done = 0; done < count; done += 1) {
    const { answer, picture } = await look();
    answers.push(answer);
    firstFrames.push(picture);
    // Past the publisher's pause between key frames, so that a join does not pay for the one before it.
    await sleep(400);
  }
  return { answers, firstFrames };
}

/** Until the region has let the stream go. */
async function unused({ regions, apiSecret }: World, stream: string, region: string): Promise<void> {
  await eventually(
    () => readTree(stream, regions[0] ?? { api: '' }, apiSecret),
    (tree) => tree?.regions.every((one) => one.region !== region || one.nodes.length === 0) ?? false,
  );
  // What warm functions and nodes remember of the claim (MERIDIAN_ROUTE_CACHE_MS).
  await sleep(600);
}
