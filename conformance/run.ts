// Runs the rows one after another and says what came of each.

import { Failed, type Row, Skipped, type Target } from './row.ts';
import { extensionRows } from './rows/extensions.ts';
import { floodRows } from './rows/flood.ts';
import { methodRows } from './rows/methods.ts';
import { postRows } from './rows/post.ts';
import { sessionRows } from './rows/session.ts';
import { ServerUnderTest } from './server.ts';

export const ROWS: readonly Row[] = [
  ...postRows,
  ...methodRows,
  ...sessionRows,
  ...extensionRows,
  ...floodRows,
];

export interface Verdict {
  row: Row;
  result: 'PASS' | 'FAIL' | 'SKIP';
  /** Why not PASS; '' for PASS. */
  why: string;
  /** Milliseconds. */
  took: number;
}

export async function runConformance(
  target: Target,
  onVerdict: (verdict: Verdict) => void,
  rows: readonly Row[] = ROWS,
): Promise<Verdict[]> {
  const server = new ServerUnderTest(target);
  const verdicts: Verdict[] = [];
  try {
    for (const row of rows) {
      const started = performance.now();
      const [result, why] = await judge(row, server);
      await server.endSessions();
      const verdict = { row, result, why, took: performance.now() - started };
      verdicts.push(verdict);
      onVerdict(verdict);
    }
  } finally {
    await server.close();
  }
  return verdicts;
}

async function judge(row: Row, server: ServerUnderTest): Promise<[Verdict['result'], string]> {
  try {
    await row.check(server);
    return ['PASS', ''];
  } catch (error) {
    if (error instanceof Skipped) return ['SKIP', error.message];
    if (error instanceof Failed) return ['FAIL', error.message];
    // A server that hangs up or does not answer has failed the row as well.
    return ['FAIL', error instanceof Error ? error.message : String(error)];
  }
}
