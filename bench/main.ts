// `npm run bench -- <name>`: runs one benchmark, prints its table and writes its figures to bench/results/.

import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { BenchResult } from './result.ts';

const BENCHES: Readonly<Record<string, () => Promise<{ run: () => Promise<BenchResult> }>>> = {
  join: () => import('./join.ts'),
  idle: () => import('./idle.ts'),
  control: () => import('./control.ts'),
  'hot-stream': () => import('./hot-stream.ts'),
};

/** Above this load per core the figures would be the other programs'. */
const BUSY = 0.5;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { force: { type: 'boolean', default: false } },
});
const name = positionals[0] ?? '';
const bench = BENCHES[name];
const [load = 0] = loadavg();
const cores = cpus();
if (bench === undefined) {
  process.stderr.write(`npm run bench -- <${Object.keys(BENCHES).join(' | ')}> [--force]\n`);
  process.exitCode = 1;
} else if (load / cores.length > BUSY && !values.force) {
  process.stderr.write(
    `the machine is busy (load ${load.toFixed(2)} on ${cores.length} cores): wait, or measure all the same with --force\n`,
  );
  process.exitCode = 1;
} else {
  const machine = `${cores.length} × ${cores[0]?.model.trim() ?? 'unknown'}, Node ${process.version}, load ${load.toFixed(2)} at the start`;
  const result = await (await bench()).run();
  console.log(`\n${name} — ${machine}`);
  console.table(result.rows);
  for (const note of result.notes ?? []) console.log(note);
  const folder = new URL('./results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const file = new URL(`${name}.json`, folder);
  await writeFile(
    file,
    `${JSON.stringify({ name, machine, at: new Date().toISOString(), ...result }, undefined, 2)}\n`,
  );
  console.log(`written to bench/results/${name}.json`);
  // libwebrtc keeps threads that would keep the process.
  process.exit();
}
