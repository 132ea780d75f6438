// `npm run fuzz -- --cases 20000 --seed 1`: one run against a local world; its tables on stdout, 1 where something broke.

import { parseArgs } from 'node:util';
import { stopSignal, thisMachine } from '#local/program.ts';
import { answerRows, memoryRows, tooLarge } from './report.ts';
import { LANES, runFuzz } from './run.ts';

const USAGE = `npm run fuzz -- [options]
  --cases N    how many (20000)
  --seed N     of their making (the time)
  --path PATH  with a seed that was reported: that one case again
  --lanes N    cases at once (${LANES}); lane after lane has the next higher seed
Offers, trickle fragments, headers, tokens and paths, changed in every way, go to a local world in which a stream is published and
watched meanwhile. It ends with 1, and tells what broke, the smallest case that does it and how to see it again. docs/security.md says more.
`;

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`fuzz: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
// libwebrtc keeps threads that would keep the process.
process.exit();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '20000' },
      seed: { type: 'string', default: String(Math.floor(Date.now() / 1000)) },
      path: { type: 'string' },
      lanes: { type: 'string', default: String(LANES) },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const cases = whole('cases', values.cases, 1, 10_000_000);
  const seed = whole('seed', values.seed, 0, 0x7fff_0000);
  const lanes = whole('lanes', values.lanes, 1, 32);
  const machine = thisMachine();
  console.log(`fuzz — ${cases} cases, seed ${seed} — ${machine}`);
  const result = await runFuzz({
    cases,
    seed,
    lanes,
    path: values.path,
    signal: stopSignal(),
    log: (line) => process.stderr.write(`${line}\n`),
  });
  const seconds = result.duration / 1_000;
  console.log(
    `\n${result.cases} cases in ${Math.round(seconds)} s (${Math.round(result.cases / seconds)} a second)`,
  );
  console.log(
    `the viewer saw ${result.pictures} pictures, ${Math.round(result.pictures / seconds)} a second`,
  );
  console.table(answerRows(result));
  console.table(memoryRows(result));
  const broken = [...result.broken, ...(values.path === undefined ? tooLarge(result) : [])];
  for (const what of broken) console.log(`BROKEN: ${what}\n`);
  console.log(broken.length > 0 ? `${broken.length} broken` : 'nothing broke');
  return broken.length > 0 ? 1 : 0;
}

function whole(name: string, given: string, min: number, max: number): number {
  const value = Number(given);
  if (!/^\d+$/.test(given) || value < min || value > max)
    throw new Error(`--${name} ${given}: a whole number from ${min} to ${max}`);
  return value;
}
