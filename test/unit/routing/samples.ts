// Claims and node records for tests: complete, ordinary, and changed where a test says so.

import fc from 'fast-check';
import type { OriginClaim, RegionClaim, StreamClaims } from '#routing/claims.ts';
import type { NodeRecord } from '#routing/node-record.ts';

export const REGIONS = ['us-east-1', 'eu-west-1', 'ap-southeast-1'] as const;

export const originClaim = (changes: Partial<OriginClaim> = {}): OriginClaim => ({
  stream: 'concert',
  region: 'us-east-1',
  nodeId: 'i-origin',
  incarnation: 'origin-start-1',
  epoch: 1,
  priority: 0,
  tokenId: 'token-1',
  startedAt: 1_790_000_000_000,
  viewing: 'open',
  ...changes,
});

export const regionClaim = (changes: Partial<RegionClaim> = {}): RegionClaim => ({
  stream: 'concert',
  region: 'eu-west-1',
  nodeId: 'i-secondary',
  incarnation: 'secondary-start-1',
  epoch: 1,
  parent: { region: 'us-east-1', nodeId: 'i-origin', epoch: 1 },
  ...changes,
});

export const claimsOf = (origins: OriginClaim[], regions: RegionClaim[] = []): StreamClaims => ({
  stream: 'concert',
  origins,
  regions,
});

export const nodeRecord = (changes: Partial<NodeRecord> = {}): NodeRecord => ({
  nodeId: 'i-edge-1',
  region: 'eu-west-1',
  incarnation: 'edge-start-1',
  group: 'edge',
  state: 'SERVING',
  heartbeatAt: 1_790_000_000_000,
  startedAt: 1_780_000_000_000,
  registryMs: 2,
  control: '127.0.0.1:7443',
  fingerprint: 'ab'.repeat(32),
  mediaAddresses: ['10.0.0.1', '203.0.113.1'],
  load: { publishers: 0, viewers: 0, legs: 0, cpu: 0, memory: 100_000_000 },
  limits: { publishers: 100, viewers: 250, cpu: 0.85 },
  ...changes,
});

const epoch = fc.integer({ min: 1, max: 3 });

/** Origin claims of one stream as the table can hold them: one per region and priority, close enough to collide. */
export const originClaims: fc.Arbitrary<OriginClaim[]> = fc.uniqueArray(
  fc
    .record({
      region: fc.constantFrom(...REGIONS),
      priority: fc.integer({ min: 0, max: 2 }),
      epoch,
      startedAt: fc.integer({ min: 0, max: 1 }),
      nodeId: fc.constantFrom('i-1', 'i-2', 'i-3'),
      incarnation: fc.constantFrom('start-1', 'start-2'),
      released: fc.boolean(),
    })
    .map(({ released, ...claim }) => originClaim({ ...claim, ...(released ? { releasedAt: 1 } : {}) })),
  { selector: ({ region, priority }) => `${region} ${priority}`, maxLength: 9 },
);

/** Secondary origins' claims: at most one per region. */
export const regionClaims: fc.Arbitrary<RegionClaim[]> = fc.uniqueArray(
  fc
    .record({
      region: fc.constantFrom(...REGIONS),
      epoch,
      nodeId: fc.constantFrom('i-1', 'i-2', 'i-3'),
      incarnation: fc.constantFrom('start-1', 'start-2'),
      released: fc.boolean(),
    })
    .map(({ released, ...claim }) => regionClaim({ ...claim, ...(released ? { releasedAt: 1 } : {}) })),
  { selector: ({ region }) => region, maxLength: 3 },
);
