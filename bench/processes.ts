// A process tree's CPU time and memory, read from /proc.

import { readdir, readFile } from 'node:fs/promises';
import { type ProcessStat, processStat } from '#media-fleet/process-stat.ts';

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

/** The process and all below it. */
export async function processTree(root: number): Promise<ProcessFacts[]> {
  const parents = new Map<number, ProcessStat>();
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await processStat(Number(entry));
    if (stat) parents.set(Number(entry), stat);
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
        cpu: (parents.get(pid)?.cpu ?? 0) / 1_000,
        resident: kilobytes('Rss'),
        proportional: kilobytes('Pss'),
      };
    }),
  );
}
