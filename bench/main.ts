// `npm run bench -- <name> [options]`: runs one benchmark, prints its table and writes its figures to bench/results/.

import { access, constants, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { thisMachine, why } from '#local/program.ts';
import type { Benchmark, BenchResult } from './result.ts';

interface Known {
  /** For the list: what it measures, and how long that takes here. */
  about: string;
  load: () => Promise<Benchmark>;
}

const BENCHES: Readonly<Record<string, Known>> = {
  fanout: {
    about: 'what a viewer costs, beside a bare router (15 min)',
    load: () => import('./fanout.ts'),
  },
  cores: {
    about: 'one media worker a node and two (7 min)',
    load: () => import('./cores.ts'),
  },
  churn: {
    about: 'joins and leaves beside viewers who stay (5 min)',
    load: () => import('./churn.ts'),
  },
  failover: {
    about: 'what viewers miss when something dies; root (11 min)',
    load: () => import('./failover.ts'),
  },
  hop: { about: 'what each hop of the cascade adds (5 min)', load: () => import('./hop.ts') },
  'first-frame': {
    about: 'first pictures, regions 0 and 80 ms apart; root (5 min)',
    load: () => import('./first-frame.ts'),
  },
  join: { about: 'POST to 201 and to a picture (2 min)', load: () => import('./join.ts') },
  control: {
    about: 'the functions and their calls to DynamoDB (1 min)',
    load: () => import('./control.ts'),
  },
  'hot-stream': {
    about: 'reads at 10,000 plays a second; a tree of 1,000 edges (2 min)',
    load: () => import('./hot-stream.ts'),
  },
  idle: { about: 'a world at rest (1 min)', load: () => import('./idle.ts') },
};

// That a region is full is what a benchmark is about, and no news to who runs it.
process.env.POWERTOOLS_LOG_LEVEL ??= 'ERROR';

/** Above this load per core the figures would be the other programs'. */
const BUSY = 0.5;

const [name = '', ...given] = process.argv.slice(2).filter((argument) => argument !== '--force');
const force = process.argv.includes('--force');
// A short run shows that it works, and measures nothing.
const needsQuiet = !force && !given.includes('--short');

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${name}: ${why(error)}\n`);
  process.exitCode = 1;
}
// libwebrtc keeps threads that would keep the process.
process.exit();

async function main(): Promise<number> {
  const known = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (known === undefined) {
    const list = Object.entries(BENCHES).map(([each, { about }]) => `  ${each.padEnd(12)} ${about}\n`);
    const unknown = name === '' || name === '--help' ? '' : `there is no benchmark ${name}\n`;
    process.stderr.write(
      `${unknown}npm run bench -- NAME [--force] [options]; NAME --help lists them\n${list.join('')}`,
    );
    return name === '--help' ? 0 : 1;
  }
  const benchmark = await known.load();
  const options = 'usage' in benchmark ? benchmark.usage : '  (it has no options)\n';
  if (given.includes('--help')) {
    process.stderr.write(`npm run bench -- ${name} [--force] [options]: ${known.about}\n${options}`);
    return 0;
  }
  let run: () => Promise<BenchResult>;
  try {
    run = prepared(benchmark);
  } catch (error) {
    throw new Error(`${why(error)}\n${options.trimEnd()}`);
  }
  const [load = 0] = loadavg();
  const cores = cpus().length;
  if (load / cores > BUSY && needsQuiet)
    throw new Error(
      `the machine is busy (load ${load.toFixed(2)} on ${cores} cores): wait until it is below ${BUSY * cores}, or measure all the same with --force`,
    );
  await measure(run);
  return 0;
}

function prepared(benchmark: Benchmark): () => Promise<BenchResult> {
  if ('prepare' in benchmark) return benchmark.prepare(given);
  if (given.length > 0) throw new Error(`wrong options: ${given.join(' ')}`);
  return benchmark.run;
}

async function measure(run: () => Promise<BenchResult>): Promise<void> {
  const machine = thisMachine();
  const folder = new URL('./results/', import.meta.url);
  // Before a quarter of an hour is spent on what cannot be written.
  await mkdir(folder, { recursive: true });
  await access(folder, constants.W_OK);
  const result = await run();
  console.log(`\n${name} — ${machine}`);
  console.table(result.rows);
  for (const note of result.notes ?? []) console.log(note);
  // Beside what the page is made from: that is of our own servers, on a quiet machine.
  const isTrial = !needsQuiet || given.some((argument) => argument.startsWith('--peer'));
  const file = `${name}${isTrial ? '.trial' : ''}.json`;
  // A peer's URLs may carry a token.
  const command = [name, ...given].join(' ').replaceAll(/\?[^\s,]*/g, '');
  const figures = { name, command, machine, at: new Date().toISOString(), ...result };
  // Whole or not at all: an earlier result is better than half of one.
  const unfinished = new URL(`${file}.${process.pid}`, folder);
  try {
    await writeFile(unfinished, `${JSON.stringify(figures, undefined, 2)}\n`);
    await rename(unfinished, new URL(file, folder));
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
  console.log(`written to bench/results/${file}`);
}
