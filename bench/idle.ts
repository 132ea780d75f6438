// What the local world costs when nothing happens: CPU and memory of all its processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cpuBetween, KINDS, type Kind, ofKind, residentOf } from './kinds.ts';
import { type ProcessFacts, processTree } from './processes.ts';
import type { BenchResult } from './result.ts';

/** Seconds: for start-up to be over, and to measure. */
const SETTLE = 10;
const MEASURE = 30;

const ROWS: Record<string, readonly Kind[]> = {
  'node (Node.js)': ['nodes'],
  'node’s media worker': ['media workers'],
  gateway: ['gateway'],
  'world (database, DNS, page)': ['rest'],
  all: KINDS,
};

export async function run(): Promise<BenchResult> {
  const main = fileURLToPath(new URL('../local/main.ts', import.meta.url));
  const ports = ['--page-port', '0', '--api-port', '0', '--global-port', '0', '--dns-port', '0'];
  const world = spawn(process.execPath, [main, '--json', ...ports], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(world.stdout, 'data', { signal: AbortSignal.timeout(60_000) });
    await sleep(SETTLE * 1000);
    const before = await look(world.pid);
    await sleep(MEASURE * 1000);
    const after = await look(world.pid);
    return { rows: Object.entries(ROWS).map(([what, kinds]) => row(what, kinds, before, after)) };
  } finally {
    const exited = once(world, 'exit');
    world.kill('SIGTERM');
    await exited;
  }
}

const megabytes = (bytes: number) => Math.round(bytes / 1e6);

/** The world's processes at a moment of ours, in ms. */
interface Look {
  at: number;
  processes: ProcessFacts[];
}
const look = async (pid = 0): Promise<Look> => ({
  at: performance.now(),
  processes: await processTree(pid),
});

function row(what: string, kinds: readonly Kind[], before: Look, after: Look): BenchResult['rows'][number] {
  const members = kinds.flatMap((kind) => ofKind(after.processes, kind));
  const used = cpuBetween(before.processes, after.processes, kinds);
  return {
    what,
    processes: members.length,
    '% of a core': Number(((100_000 * used) / (after.at - before.at)).toFixed(1)),
    'resident MB in all': megabytes(residentOf(after.processes, kinds)),
    'proportional MB in all': megabytes(members.reduce((sum, { proportional }) => sum + proportional, 0)),
    'largest, resident MB': megabytes(Math.max(...members.map(({ resident }) => resident))),
  };
}
