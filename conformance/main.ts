// `npm run conformance -- --whip URL --whep URL [--token T] [--junit FILE]`: the suite against any server.

import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { junit } from './junit.ts';
import { runConformance } from './run.ts';

const USAGE = `npm run conformance -- --whip URL --whep URL [--token TOKEN] [--junit FILE]
  --whip URL    the WHIP endpoint of a stream that may be published
  --whep URL    the WHEP endpoint of the same stream
  --token TOKEN sent as Authorization: Bearer
  --junit FILE  writes the results as JUnit XML too
`;

const { values } = parseArgs({
  options: {
    whip: { type: 'string' },
    whep: { type: 'string' },
    token: { type: 'string' },
    junit: { type: 'string' },
  },
});
const { whip, whep, token } = values;
if (!whip || !whep || !URL.canParse(whip) || !URL.canParse(whep)) {
  process.stderr.write(USAGE);
  process.exit(2);
}

const verdicts = await runConformance({ whip, whep, token }, ({ row, result, why }) => {
  console.log(
    `${row.id.padEnd(9)} ${result} ${row.level.padEnd(7)} ${row.requirement}${why ? `\n          ${why}` : ''}`,
  );
});
const count = (wanted: string) => verdicts.filter(({ result }) => result === wanted).length;
console.log(`\n${count('PASS')} passed, ${count('FAIL')} failed, ${count('SKIP')} skipped`);
if (values.junit) await writeFile(values.junit, junit(verdicts));
// libwebrtc keeps threads that would keep the process.
process.exit(count('FAIL') > 0 ? 1 : 0);
