// What viewers miss when something dies, freezes, is cut off or moves: the chaos run, by kind of event.

import { parseArgs } from 'node:util';
import { notes, rows } from '#chaos/report.ts';
import { MOST_MINUTES, MOST_SEED, runChaos } from '#chaos/run.ts';
import { stopSignal } from '#local/program.ts';
import type { BenchResult } from './result.ts';

export const usage = `\
  --minutes N  how long events go on (10)
  --seed N     of the random choices (1)
`;

export function prepare(args: string[]): () => Promise<BenchResult> {
  const { values } = parseArgs({
    args,
    options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string', default: '1' } },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  if (
    !(minutes > 0 && minutes <= MOST_MINUTES) ||
    !(Number.isInteger(seed) && seed >= 0 && seed <= MOST_SEED)
  )
    throw new Error(`wrong options: ${args.join(' ')}`);
  return () => run(minutes, seed);
}

/** @throws Error when the world cannot be started. */
async function run(minutes: number, seed: number): Promise<BenchResult> {
  const result = await runChaos({
    length: { minutes },
    seed,
    signal: stopSignal(),
    log: (line) => process.stderr.write(`${line}\n`),
  });
  return {
    rows: rows(result),
    notes: ['npm run chaos is the same run, with a plot and kinds to choose.', ...notes(result)],
    details: result,
  };
}
