// How long viewers wait for their first picture, near and far, with regions side by side and with a world between them.

import { Hosts } from '#local/hosts.ts';
import { startWorld } from '#local/world.ts';
import { type FarApi, farApi } from './far-api.ts';
import { measure, UNUSED_STREAM_TIMEOUT } from './join.ts';
import type { BenchResult } from './result.ts';

const REGIONS = ['us-east-1', 'eu-west-1'] as const;
/** Round trips between the regions, ms: none, and about what lies between these two. */
const ROUND_TRIPS = [0, 80];
const FIRST_FRAMES = 15;

/** @throws Error when this is not Linux, or not root: regions are network namespaces. */
export async function run(): Promise<BenchResult> {
  const rows: BenchResult['rows'] = [];
  for (const roundTrip of ROUND_TRIPS) {
    const measured = await withWan(roundTrip);
    rows.push(...measured.rows.map((row) => ({ 'round trip ms': roundTrip, ...row })));
  }
  return {
    rows,
    notes: [
      'Viewers are near their region. What lies between the regions delays media and the call for a leg: one round trip on a connection that is open, two more on a new one (TCP, TLS 1.3).',
      'The stream map is one database without delay: of a stream that has been live for a second, a replica says the same.',
      'The publisher is libwebrtc (VP8, 320 × 180, 30 fps) and makes a key frame when asked, at most every 300 ms.',
    ],
  };
}

async function withWan(roundTrip: number): Promise<BenchResult> {
  const hosts = await Hosts.open(REGIONS);
  const farApis: FarApi[] = [];
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
      return await measure(world, FIRST_FRAMES);
    } finally {
      await world.close();
    }
  } finally {
    for (const far of farApis) far.close();
    await hosts.close();
  }
}
