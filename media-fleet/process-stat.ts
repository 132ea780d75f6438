// A process's parent, children and CPU time, from Linux's /proc.

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

export interface ProcessStat {
  /** Process id. */
  parent: number;
  /** Milliseconds that it has run so far. */
  cpu: number;
}

/** Milliseconds of a clock tick: Linux has had 100 ticks a second for user space on every architecture Node runs on. */
const TICK = 10;

/** Undefined where it cannot be read: the process is gone, or this is not Linux. */
export async function processStat(pid: number): Promise<ProcessStat | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // proc(5): the second field is the command in parentheses, the 4th the parent, the 14th and 15th are utime and stime.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && { parent: Number(fields[1]), cpu: (Number(fields[11]) + Number(fields[12])) * TICK };
}

/** Process ids of those that a Node.js process has begun and that have not ended, at this moment; none where that cannot be read. */
export function childrenOf(pid: number | undefined): number[] {
  try {
    // Node begins processes on its main thread, whose id is the process's.
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Milliseconds that a process has run so far; NaN where that cannot be read. */
export const cpuTime = async (pid: number): Promise<number> => (await processStat(pid))?.cpu ?? Number.NaN;
