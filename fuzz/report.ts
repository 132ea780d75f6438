// A run's figures as tables, and whether memory grew.

import { type Kind, type Memory, totals } from './health.ts';
import type { RunResult } from './run.ts';

/** By how much a process of each kind may grow over a run, in bytes: well above what was measured over 20,000 cases (docs/security.md). */
const MAY_GROW: Readonly<Record<Kind, number>> = {
  gateway: 40_000_000,
  node: 40_000_000,
  worker: 4_000_000,
};
const MEGABYTE = 1_000_000;

/** A row for each entry point: how many answers, by status. */
export function answerRows({ counts, slowest }: RunResult): Record<string, Record<string, number>> {
  const statuses = [...new Set([...counts.values()].flatMap((of) => [...of.keys()]))].sort((a, b) => a - b);
  return Object.fromEntries(
    [...counts].map(([entry, of]) => {
      const all = [...of.values()].reduce((sum, count) => sum + count, 0);
      const row = statuses.map((status) => [String(status), of.get(status) ?? 0]);
      return [
        entry,
        { ...Object.fromEntries(row), requests: all, 'slowest (ms)': Math.round(slowest.get(entry) ?? 0) },
      ];
    }),
  );
}

/** A row for each kind of process: the sum of what all of them have, and the one that grew most. */
export function memoryRows({
  memory: { before, after },
}: RunResult): Record<string, Record<string, string | number>> {
  return Object.fromEntries(
    (['gateway', 'node', 'worker'] as const).map((kind) => {
      const most = growths(before, after)
        .filter((each) => each.kind === kind)
        .toSorted((a, b) => b.growth - a.growth)[0];
      return [
        kind,
        {
          'before (MB)': megabytes(totals(before)[kind]),
          'after (MB)': megabytes(totals(after)[kind]),
          'grew most (MB)': megabytes(most?.growth ?? 0),
          which: most?.name ?? '',
        },
      ];
    }),
  );
}

/** Those that grew by more than they may. */
export const tooLarge = ({ memory: { before, after } }: RunResult): string[] =>
  growths(before, after)
    .filter(({ kind, growth }) => growth > MAY_GROW[kind])
    .map(({ name, growth }) => `${name} grew by ${megabytes(growth)} MB`);

function growths(before: readonly Memory[], after: readonly Memory[]): (Memory & { growth: number })[] {
  return after.flatMap((member) => {
    const was = before.find(({ pid }) => pid === member.pid);
    return was === undefined ? [] : [{ ...member, growth: member.resident - was.resident }];
  });
}

const megabytes = (bytes: number): number => Math.round(bytes / MEGABYTE);
