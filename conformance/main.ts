// `npm run conformance -- --whip URL --whep URL [--token T] [--flood N] [--junit FILE]`: the suite against any server.

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { junit } from './junit.ts';
import { runConformance } from './run.ts';

const USAGE = `npm run conformance -- --whip URL --whep URL [--token TOKEN] [--flood N] [--junit FILE]
  --whip URL    the WHIP endpoint of a stream that may be published
  --whep URL    the WHEP endpoint of the same stream
  --token TOKEN sent as Authorization: Bearer
  --flood N     also sends up to N requests at a time to see a rate limit; not to servers that others use
  --junit FILE  writes the results as JUnit XML too
`;

/** ms for a server to answer at all. */
const ANSWER_WITHIN = 15_000;

const { values } = parseArgs({
  options: {
    whip: { type: 'string' },
    whep: { type: 'string' },
    token: { type: 'string' },
    flood: { type: 'string' },
    junit: { type: 'string' },
  },
});
const { whip, whep, token } = values;
const flood = values.flood === undefined ? undefined : Number(values.flood);
const isCount = flood === undefined || (Number.isInteger(flood) && flood > 0);
if (!whip || !whep || !URL.canParse(whip) || !URL.canParse(whep) || !isCount) {
  process.stderr.write(USAGE);
  process.exit(2);
}

for (const url of [whip, whep]) {
  const why = await unreachable(url);
  if (why === undefined) continue;
  process.stderr.write(`conformance: nothing answers at ${url}: ${why}\n`);
  process.exit(2);
}

const verdicts = await runConformance({ whip, whep, token, flood }, ({ row, result, why }) => {
  console.log(
    `${row.id.padEnd(9)} ${result} ${row.level.padEnd(7)} ${row.requirement}${why ? `\n          ${why}` : ''}`,
  );
});
const count = (wanted: string) => verdicts.filter(({ result }) => result === wanted).length;
console.log(`\n${count('PASS')} passed, ${count('FAIL')} failed, ${count('SKIP')} skipped`);
if (values.junit) await writeFile(values.junit, junit(verdicts));
// libwebrtc keeps threads that would keep the process.
process.exit(count('FAIL') > 0 ? 1 : 0);

/** Why there is no answer, whatever it would be; undefined when there is one. */
async function unreachable(url: string): Promise<string | undefined> {
  try {
    await fetch(url, { method: 'OPTIONS', signal: AbortSignal.timeout(ANSWER_WITHIN) });
    return undefined;
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return cause instanceof Error ? cause.message : String(cause);
  }
}
