// `npm run bench -- <name> [options]`: runs one benchmark, prints its table and writes its figures to bench/results/.

import { mkdir, rename, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { thisMachine } from '#local/program.ts';
import type { BenchResult } from './result.ts';

interface Bench {
  run: (options: string[]) => Promise<BenchResult>;
}

const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  join: () => import('./join.ts').then(withoutOptions),
  idle: () => import('./idle.ts').then(withoutOptions),
  control: () => import('./control.ts').then(withoutOptions),
  'hot-stream': () => import('./hot-stream.ts').then(withoutOptions),
  'first-frame': () => import('./first-frame.ts').then(withoutOptions),
  hop: () => import('./hop.ts').then(withoutOptions),
  fanout: () => import('./fanout.ts'),
  cores: () => import('./cores.ts'),
  churn: () => import('./churn.ts'),
  failover: () => import('./failover.ts'),
};

const withoutOptions = ({ run }: { run: () => Promise<BenchResult> }): Bench => ({
  run: async (options) => {
    if (options.length > 0) throw new Error(`it has no options; ${options.join(' ')} is given`);
    return run();
  },
});

/** Above this load per core the figures would be the other programs'. */
const BUSY = 0.5;

const [name = '', ...given] = process.argv.slice(2).filter((argument) => argument !== '--force');
const force = process.argv.includes('--force');
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
const [load = 0] = loadavg();
const cores = cpus().length;
if (bench === undefined) {
  process.stderr.write(`npm run bench -- <${Object.keys(BENCHES).join(' | ')}> [--force] [options]\n`);
  process.exitCode = 1;
} else if (load / cores > BUSY && !force) {
  process.stderr.write(
    `the machine is busy (load ${load.toFixed(2)} on ${cores} cores): wait, or measure all the same with --force\n`,
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

async function measure(name: string, bench: () => Promise<Bench>): Promise<void> {
  const machine = thisMachine();
  const result = await (await bench()).run(given);
  console.log(`\n${name} — ${machine}`);
  console.table(result.rows);
  for (const note of result.notes ?? []) console.log(note);
  const folder = new URL('./results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const file = new URL(`${name}.json`, folder);
  // A peer's URLs may carry a token.
  const command = [name, ...given].join(' ').replaceAll(/\?[^\s,]*/g, '');
  const figures = { name, command, forced: force, machine, at: new Date().toISOString(), ...result };
  // Whole or not at all: an earlier result is better than half of one.
  const unfinished = new URL(`${name}.json.${process.pid}`, folder);
  await writeFile(unfinished, `${JSON.stringify(figures, undefined, 2)}\n`);
  await rename(unfinished, file);
  console.log(`written to bench/results/${name}.json`);
}
