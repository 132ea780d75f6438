// What a second media worker of a node costs and gives: the same viewers on one worker and on two.

import { compare, comparing, optionsFrom } from './fanout.ts';
import type { BenchResult } from './result.ts';
import { ours } from './servers.ts';

/** A stream's viewers go to another worker from 100 on (media-fleet/workers.ts). */
const STEPS = '100,200,400';

export const usage = comparing(STEPS);

export function prepare(args: string[]): () => Promise<BenchResult> {
  const options = optionsFrom(args, STEPS);
  if (options.peers.length > 0) throw new Error('cores compares Meridian with itself; peers are fanout’s');
  const one = ours('1 worker a node', { nodes: 2, workers: 1 });
  const two = ours('2 workers a node', { nodes: 2, workers: 2 });
  return () =>
    compare([one, two], one, options, [
      'An origin node and an edge; a stream’s viewers go to another worker from 100 on.',
    ]);
}
