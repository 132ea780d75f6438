// What viewers miss when something dies, freezes, is cut off or moves: the chaos run, by kind of event.

import { parseArgs } from 'node:util';
import { minutesFrom, seedFrom } from '#chaos/options.ts';
import { notes, rows } from '#chaos/report.ts';
import { runChaos } from '#chaos/run.ts';
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
  const [minutes, seed] = [minutesFrom(values.minutes), seedFrom(values.seed)];
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
