// An ordinary edge as the registry knows it, for benchmarks of many.

import { randomBytes, randomUUID } from 'node:crypto';
import type { NodeRecord } from '#routing/node-record.ts';

export const REGION = 'us-east-1';

/** @param index tells it from the others, 0 to 65,535. */
export const edgeRecord = (index: number): NodeRecord => {
  const inside = `${Math.floor(index / 256)}.${index % 256}`;
  return {
    nodeId: `i-${index.toString(16).padStart(17, '0')}`,
    region: REGION,
    incarnation: randomUUID(),
    group: 'edge',
    state: 'SERVING',
    heartbeatAt: Date.now(),
    startedAt: Date.now(),
    registryMs: 3,
    control: `10.0.${inside}:7443`,
    fingerprint: randomBytes(32).toString('hex'),
    mediaAddresses: [`10.0.${inside}`, `203.0.${inside}`],
    load: { publishers: 0, viewers: index % 100, legs: 3, cpu: 0.2, memory: 200_000_000 },
    limits: { publishers: 0, viewers: 250, cpu: 0.85 },
  };
};
