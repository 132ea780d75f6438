// `npm run bench -- <name> [options]`: runs one benchmark, prints its table and writes its figures to bench/results/.

import { mkdir, rename, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { thisMachine } from '#local/program.ts';
import type { BenchResult } from './result.ts';

interface Bench {
  /** For the list: what it measures, and how long that takes here. */
  about: string;
  load: () => Promise<{ run: (options: string[]) => Promise<BenchResult> }>;
  hasOptions?: true;
}

const BENCHES: Readonly<Record<string, Bench>> = {
  fanout: {
    about: 'what a viewer costs, beside a bare router (15 min)',
    load: () => import('./fanout.ts'),
    hasOptions: true,
  },
  cores: {
    about: 'one media worker a node and two (7 min)',
    load: () => import('./cores.ts'),
    hasOptions: true,
  },
  churn: {
    about: 'joins and leaves beside viewers who stay (5 min)',
    load: () => import('./churn.ts'),
    hasOptions: true,
  },
  failover: {
    about: 'what viewers miss when something dies; root (11 min)',
    load: () => import('./failover.ts'),
    hasOptions: true,
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

/** Above this load per core the figures would be the other programs'. */
const BUSY = 0.5;

const [name = '', ...given] = process.argv.slice(2).filter((argument) => argument !== '--force');
const force = process.argv.includes('--force');
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
const [load = 0] = loadavg();
const cores = cpus().length;
// A short run shows that it works, and measures nothing.
const needsQuiet = !force && !given.includes('--short');
if (bench === undefined) {
  const list = Object.entries(BENCHES).map(([known, { about }]) => `  ${known.padEnd(12)} ${about}\n`);
  const unknown = name === '' || name === '--help' ? '' : `there is no benchmark ${name}\n`;
  process.stderr.write(`${unknown}npm run bench -- NAME [--force] [options]\n${list.join('')}`);
  process.exitCode = name === '--help' ? 0 : 1;
} else if (load / cores > BUSY && needsQuiet) {
  process.stderr.write(
    `the machine is busy (load ${load.toFixed(2)} on ${cores} cores): wait until it is below ${BUSY * cores}, or measure all the same with --force\n`,
  );
  process.exitCode = 1;
} else {
  await measure(name, bench).catch((error: unknown) => {
    process.stderr.write(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
  // libwebrtc keeps threads that would keep the process.
  process.exit();
}

async function measure(name: string, bench: Bench): Promise<void> {
  const machine = thisMachine();
  if (!bench.hasOptions && given.length > 0)
    throw new Error(`it has no options; ${given.join(' ')} is given`);
  const { run } = await bench.load();
  const result = await run(given);
  console.log(`\n${name} — ${machine}`);
  console.table(result.rows);
  for (const note of result.notes ?? []) console.log(note);
  const folder = new URL('./results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const file = new URL(`${name}.json`, folder);
  // A peer's URLs may carry a token.
  const command = [name, ...given].join(' ').replaceAll(/\?[^\s,]*/g, '');
  const figures = { name, command, forced: !needsQuiet, machine, at: new Date().toISOString(), ...result };
  // Whole or not at all: an earlier result is better than half of one.
  const unfinished = new URL(`${name}.json.${process.pid}`, folder);
  await writeFile(unfinished, `${JSON.stringify(figures, undefined, 2)}\n`);
  await rename(unfinished, file);
  console.log(`written to bench/results/${name}.json`);
}
