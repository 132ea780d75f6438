// A process's CPU time, from Linux's /proc.

import { readFile } from 'node:fs/promises';

/** Milliseconds of a clock tick: Linux has had 100 ticks a second for user space on every architecture Node runs on. */
const TICK = 10;

/** Milliseconds that a process has run so far; NaN where that cannot be read. */
export async function cpuTime(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // proc(5): the second field is the command in parentheses, the 14th and 15th are utime and stime.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields?.[11]) + Number(fields?.[12])) * TICK;
}
