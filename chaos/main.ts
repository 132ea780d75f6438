// `npm run chaos -- --minutes 10 --seed 1`: one run, its table on stdout, figures and a plot in chaos/results/.

import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { stopSignal, thisMachine, why } from '#local/program.ts';
import { isKind, KIND_NAMES, type KindName } from './events.ts';
import { minutesFrom, seedFrom } from './options.ts';
import { plot, TARGET } from './plot.ts';
import { isWell, notes, rows } from './report.ts';
import { runChaos } from './run.ts';

const USAGE = `npm run chaos -- [options]
  --minutes N        how long events go on (10); a fraction is allowed
  --seed N           of the random choices (the time)
  --only KIND,KIND   these kinds of events alone
Kinds: ${KIND_NAMES.join(', ')}
What is hit is killed, frozen for 8 s, cut from the network for 8 s (as root only), moved to another region, or made silent;
"nothing" is what the machine itself does. The table is on stdout; figures and a plot go to chaos/results/.
It ends with 1, and lines that begin with BROKEN, where an invariant did not hold. docs/failures.md says more.
`;

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`chaos: ${why(error)}\n`);
  process.exitCode = 1;
}
// libwebrtc keeps threads that would keep the process.
process.exit();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Math.floor(Date.now() / 1000)) },
      only: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const minutes = minutesFrom(values.minutes);
  const seed = seedFrom(values.seed);
  const only = (values.only ?? '').split(',').filter(Boolean).map(kindFrom);

  const machine = thisMachine();
  const started = new Date();
  console.log(`chaos — ${minutes} minutes, seed ${seed} — ${machine}`);
  const result = await runChaos({
    length: { minutes },
    seed,
    only,
    signal: stopSignal(),
    log: (line) => process.stderr.write(`${line}\n`),
  });

  console.log(`\nseed ${seed} — ${machine}`);
  const table = rows(result);
  console.table(table);
  for (const note of notes(result)) console.log(note);
  const folder = new URL('./results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const name = `${started.toISOString().slice(0, 19).replaceAll(':', '')}-seed-${seed}`;
  const figures = { machine, at: started.toISOString(), minutes, target: TARGET, table, ...result };
  await writeFile(new URL(`${name}.json`, folder), `${JSON.stringify(figures, undefined, 2)}\n`);
  await writeFile(new URL(`${name}.svg`, folder), plot(result));
  console.log(`written to chaos/results/${name}.json and .svg`);
  return isWell(result) ? 0 : 1;
}

function kindFrom(name: string): KindName {
  if (!isKind(name))
    throw new Error(`--only ${name}: no such kind of event; there are ${KIND_NAMES.join(', ')}`);
  return name;
}
