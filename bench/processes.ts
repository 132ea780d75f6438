// A process tree's CPU time and memory, read from /proc.

import { readdir, readFile } from 'node:fs/promises';

export interface ProcessFacts {
  pid: number;
  command: string;
  /** CPU time used so far, in seconds. */
  cpu: number;
  /** Resident bytes. */
  resident: number;
  /** Resident bytes, shared pages divided among those who share them. */
  proportional: number;
}

/** Clock ticks a second of /proc's CPU times; Linux has had 100 on every architecture Node runs on. */
const TICKS = 100;

/** The process and all below it. */
export async function processTree(root: number): Promise<ProcessFacts[]> {
  const parents = new Map<number, { parent: number; cpu: number }>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => undefined);
    if (stat === undefined) continue;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    parents.set(Number(entry), {
      parent: Number(fields[1]),
      cpu: (Number(fields[11]) + Number(fields[12])) / TICKS,
    });
  }
  const members = [root];
  for (const pid of members)
    members.push(...[...parents].filter(([, { parent }]) => parent === pid).map(([child]) => child));
  return Promise.all(
    members.map(async (pid) => {
      const [commandLine, rollup] = await Promise.all(
        ['cmdline', 'smaps_rollup'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
      );
      const kilobytes = (name: string) =>
        1024 * Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(rollup ?? '')?.[1] ?? 0);
      return {
        pid,
        command: (commandLine ?? '').split('\0').join(' ').trim(),
        cpu: parents.get(pid)?.cpu ?? 0,
        resident: kilobytes('Rss'),
        proportional: kilobytes('Pss'),
      };
    }),
  );
}
