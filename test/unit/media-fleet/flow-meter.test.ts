// How a publisher's media comes in: silences and steadiness as they are found by looks, on a clock that tests move.

import type { Producer } from 'mediasoup/types';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { FlowMeter } from '#media-fleet/flow-meter.ts';
import { publish } from '#media-fleet/publication.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { startClocks, stopClocks } from '#test/unit/routing/clock.ts';
import { type Hub, openHub, startWorkers } from './media.ts';
import { plainOffer } from './sdp/offers.ts';

const SILENCE = 300;
let workers: Workers;
let hub: Hub;
let tracks: Producer[];
/** Packets that have come on each track, audio first. */
let packets: number[];
let meter: FlowMeter;

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  hub = await openHub(workers);
  const transport = await workers.createSessionTransport(hub.media, hub.router);
  tracks = (await publish(readOffer(plainOffer()), transport, hub.router)).producers;
  packets = [0, 0];
  stopClocks(1_790_000_000_000);
  meter = new FlowMeter(tracks, SILENCE);
});
afterEach(() => {
  startClocks();
  hub.router.close();
});

/** Real tracks of which a test says how many packets came, by streams of each. */
function count(streams = 1): void {
  tracks.forEach((track, n) => {
    const stats = { type: 'inbound-rtp', ...zero };
    vi.spyOn(track, 'getStats').mockImplementation(async () =>
      Array.from({ length: streams }, () => ({ ...stats, packetCount: packets[n] ?? 0 })),
    );
  });
}
const zero = {
  timestamp: 0,
  ssrc: 1,
  kind: 'audio',
  mimeType: 'audio/opus',
  packetsLost: 0,
  fractionLost: 0,
  jitter: 0,
  packetsDiscarded: 0,
  packetsRetransmitted: 0,
  packetsRepaired: 0,
  nackCount: 0,
  nackPacketCount: 0,
  pliCount: 0,
  firCount: 0,
  byteCount: 0,
  bitrate: 0,
  score: 10,
  rtxPacketsDiscarded: 0,
  bitrateByLayer: {},
} as const;

/** Looks every 100 ms, with or without a packet on a track before each. */
async function looks(times: number, track?: 0 | 1) {
  let flow = await meter.measure();
  for (let look = 0; look < times; look += 1) {
    vi.advanceTimersByTime(100);
    if (track !== undefined) packets[track] = (packets[track] ?? 0) + 1;
    flow = await meter.measure();
  }
  return flow;
}

it('a publisher that sends is not silent, and the steadier the longer', async () => {
  count();
  expect(await looks(5, 1)).toEqual({ silentFor: 0, steadyFor: 500 });
  expect(await looks(20, 1)).toEqual({ silentFor: 0, steadyFor: 2_500 });
});

it('one track alone is enough', async () => {
  count();
  await looks(3, 0);
  expect(await looks(10, 1)).toMatchObject({ silentFor: 0 });
  expect(await looks(10, 0)).toEqual({ silentFor: 0, steadyFor: 2_300 });
});

it('silence is counted from the look that found the last packet', async () => {
  count();
  await looks(5, 1);
  expect(await looks(1)).toMatchObject({ silentFor: 100 });
  expect(await looks(2)).toMatchObject({ silentFor: 300 });
});

it('after a silence it begins to be steady anew, after a pause that is none it does not', async () => {
  count();
  await looks(5, 1);
  await looks(2);
  expect(await looks(1, 1), 'a pause').toEqual({ silentFor: 0, steadyFor: 800 });
  await looks(3);
  expect(await looks(1, 1), 'a silence').toEqual({ silentFor: 0, steadyFor: 0 });
  expect(await looks(9, 1)).toEqual({ silentFor: 0, steadyFor: 900 });
});

it('a silence is remembered however often it is looked at, and until packets come', async () => {
  count();
  await looks(1, 1);
  await looks(50);
  expect(await looks(1, 1)).toEqual({ silentFor: 0, steadyFor: 0 });
});

it('a silence that no look found is not held against it', async () => {
  count();
  await looks(5, 1);
  vi.advanceTimersByTime(60_000);
  packets[1] = 100;
  expect(await looks(1, 1)).toEqual({ silentFor: 0, steadyFor: 60_600 });
});

it('before its first packet it is silent from the first look on, and not steady', async () => {
  count();
  expect(await looks(2)).toMatchObject({ silentFor: 200 });
  expect(await looks(1)).toMatchObject({ silentFor: 300 });
  expect(await looks(1, 1)).toEqual({ silentFor: 0, steadyFor: 0 });
});

it('the time until it was connected and looked at is no steadiness', async () => {
  count();
  vi.advanceTimersByTime(9_000);
  expect(await looks(1, 1)).toEqual({ silentFor: 0, steadyFor: 100 });
});

it('every layer’s packets count', async () => {
  count(3);
  packets = [0, 7];
  expect(await looks(4, 1)).toEqual({ silentFor: 0, steadyFor: 400 });
});

it('a track that closed says nothing, and the other goes on', async () => {
  count();
  await looks(2, 0);
  tracks[1]?.close();
  expect(await looks(4, 0)).toMatchObject({ silentFor: 0 });
  expect(await looks(4)).toMatchObject({ silentFor: 400 });
});

it('real tracks on which nothing comes are silent', async () => {
  startClocks();
  const real = new FlowMeter(tracks, SILENCE);
  await real.measure();
  const { silentFor } = await real.measure();
  expect(silentFor).toBeGreaterThan(0);
});
