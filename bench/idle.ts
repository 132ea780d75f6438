// What the local world costs when nothing happens: CPU and memory of all its processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type ProcessFacts, processTree } from './processes.ts';
import type { BenchResult } from './result.ts';

/** Seconds: for start-up to be over, and to measure. */
const SETTLE = 10;
const MEASURE = 30;

const KINDS: readonly [string, RegExp][] = [
  ['node (Node.js)', /media-fleet\/main/],
  ['node’s media worker', /mediasoup-worker/],
  ['gateway', /gateway\/main/],
  ['world (database, DNS, page)', /local\/main/],
];

export async function run(): Promise<BenchResult> {
  const main = fileURLToPath(new URL('../local/main.ts', import.meta.url));
  const ports = ['--page-port', '0', '--api-port', '0', '--global-port', '0', '--dns-port', '0'];
  const world = spawn(process.execPath, [main, '--json', ...ports], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(world.stdout, 'data', { signal: AbortSignal.timeout(60_000) });
    await sleep(SETTLE * 1000);
    const before = await processTree(world.pid ?? 0);
    await sleep(MEASURE * 1000);
    const after = await processTree(world.pid ?? 0);
    return {
      rows: [
        ...KINDS.map(([kind, pattern]) => row(kind, before, after, pattern)),
        row('all', before, after, /./),
      ],
    };
  } finally {
    const exited = once(world, 'exit');
    world.kill('SIGTERM');
    await exited;
  }
}

const megabytes = (bytes: number) => Math.round(bytes / 1e6);

function row(kind: string, before: ProcessFacts[], after: ProcessFacts[], pattern: RegExp) {
  const members = after.filter(({ command }) => pattern.test(command));
  const used = members.reduce(
    (sum, { pid, cpu }) => sum + cpu - (before.find((old) => old.pid === pid)?.cpu ?? 0),
    0,
  );
  return {
    what: kind,
    processes: members.length,
    '% of a core': Number(((100 * used) / MEASURE).toFixed(1)),
    'resident MB in all': megabytes(members.reduce((sum, { resident }) => sum + resident, 0)),
    'proportional MB in all': megabytes(members.reduce((sum, { proportional }) => sum + proportional, 0)),
    'largest, resident MB': megabytes(Math.max(...members.map(({ resident }) => resident))),
  };
}
