// Which part of Meridian a process is, by its command line.

import type { ProcessFacts } from './processes.ts';

/** The first that matches. */
const PATTERNS = {
  'media workers': /mediasoup-worker/,
  nodes: /media-fleet\/main/,
  gateway: /gateway\/main/,
  /** The database, DNS and the page; of another server, whatever is no mediasoup worker. */
  rest: /./,
} as const;

export type Kind = keyof typeof PATTERNS;
export const KINDS: readonly Kind[] = ['media workers', 'nodes', 'gateway', 'rest'];

const kindOf = ({ command }: ProcessFacts): Kind =>
  KINDS.find((kind) => PATTERNS[kind].test(command)) ?? 'rest';

/** The processes of a kind. */
export const ofKind = (processes: readonly ProcessFacts[], kind: Kind): ProcessFacts[] =>
  processes.filter((one) => kindOf(one) === kind);

/** CPU seconds so far. */
export const cpuOf = (processes: readonly ProcessFacts[], kinds: readonly Kind[]): number =>
  total(processes, kinds, ({ cpu }) => cpu);

/**
 * CPU seconds between two looks; a process that came meanwhile counts whole.
 * @throws Error when one ended: what it used is not known.
 */
export function cpuBetween(
  before: readonly ProcessFacts[],
  after: readonly ProcessFacts[],
  kinds: readonly Kind[] = KINDS,
): number {
  const left = new Set(after.map(({ pid }) => pid));
  const gone = before.find(({ pid }) => !left.has(pid));
  if (gone) throw new Error(`a process ended while it was measured: ${gone.command}`);
  const used = new Map(before.map(({ pid, cpu }) => [pid, cpu]));
  return total(after, kinds, ({ pid, cpu }) => cpu - (used.get(pid) ?? 0));
}

/** Resident bytes. */
export const residentOf = (processes: readonly ProcessFacts[], kinds: readonly Kind[] = KINDS): number =>
  total(processes, kinds, ({ resident }) => resident);

const total = (
  processes: readonly ProcessFacts[],
  kinds: readonly Kind[],
  figure: (one: ProcessFacts) => number,
): number =>
  processes.filter((one) => kinds.includes(kindOf(one))).reduce((sum, one) => sum + figure(one), 0);
