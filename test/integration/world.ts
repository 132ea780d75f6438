// One local world for all integration tests, on free ports and with timings that a test can wait for.

import type { TestProject } from 'vitest/node';
import { startWorld } from '#local/world.ts';

/** What a test learns of the world. */
export interface WorldFacts {
  regions: { id: string; api: string }[];
  publishToken: string;
  apiSecret: string;
  /** Base64. */
  tokenKey: string;
  /** Base64. */
  clusterKey: string;
  databaseEndpoint: string;
  dns: string;
  globalName: string;
  globalPort: number;
  page: string;
  timing: typeof TIMING;
}

/** Milliseconds; the variables' names are routing/timing.ts's. */
export const TIMING = {
  unusedStreamTimeout: 2_000,
  publisherGrace: 5_000,
  connect: 3_000,
  iceConsent: 3_000,
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const world = await startWorld({
    regions: ['us-east-1', 'eu-west-1', 'ap-southeast-1'],
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    env: {
      MERIDIAN_UNUSED_STREAM_TIMEOUT_MS: String(TIMING.unusedStreamTimeout),
      MERIDIAN_PUBLISHER_GRACE_MS: String(TIMING.publisherGrace),
      MERIDIAN_CONNECT_MS: String(TIMING.connect),
      MERIDIAN_ICE_CONSENT_MS: String(TIMING.iceConsent),
      // Tests share two cores with browsers: a node must not refuse because its worker waited for one.
      MERIDIAN_CPU_LIMIT: '1',
    },
  });
  // One database for all.
  const { endpoint: databaseEndpoint } = world.database('us-east-1');
  const { publishToken, apiSecret, dns, globalName, globalPort, page } = world;
  project.provide('world', {
    regions: world.regions.map(({ id, api }) => ({ id, api })),
    publishToken,
    apiSecret,
    tokenKey: Buffer.from(world.tokenKey).toString('base64'),
    clusterKey: Buffer.from(world.clusterKey).toString('base64'),
    databaseEndpoint,
    dns,
    globalName,
    globalPort,
    page,
    timing: TIMING,
  });
  return () => world.close();
}

declare module 'vitest' {
  interface ProvidedContext {
    world: WorldFacts;
  }
}
