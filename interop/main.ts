// `npm run interop`: every publisher, every form of video, every viewer; the table on stdout and in docs/interop.md.

import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { stopSignal, thisMachine } from '#local/program.ts';
import { CLIENTS } from './clients.ts';
import { type Form, form } from './messages.ts';
import { isWell, markdown, notes, rows, summary } from './report.ts';
import { runInterop } from './run.ts';

const IDS = CLIENTS.map(({ id }) => id);
const USAGE = `npm run interop -- [options]
  --publishers ID,ID   these alone publish
  --viewers ID,ID      these alone view
  --forms FORM,FORM    this video alone: ${form.options.join(', ')}
Clients: ${IDS.join(', ')}
The table is on stdout, figures go to interop/results/; a run without options writes docs/interop.md, too.
A client that is not installed is SKIP, with the reason. It ends with 1 where a cell failed.
`;

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`interop: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
process.exit();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      publishers: { type: 'string', default: '' },
      viewers: { type: 'string', default: '' },
      forms: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const publishers = listFrom('--publishers', values.publishers, IDS);
  const viewers = listFrom('--viewers', values.viewers, IDS);
  const forms: Form[] = listFrom('--forms', values.forms, form.options);
  const machine = thisMachine();
  const at = new Date();
  const result = await runInterop({
    clients: CLIENTS.filter(({ id }) =>
      [publishers, viewers].some((ids) => ids.length === 0 || ids.includes(id)),
    ),
    publishers,
    viewers,
    forms,
    signal: stopSignal(),
    log: (line) => process.stderr.write(`${line}\n`),
  });

  console.table(rows(result));
  for (const note of notes(result)) console.log(note);
  console.log(`${summary(result)}, in ${Math.round((Date.now() - at.getTime()) / 1000)} s`);
  const folder = new URL('./results/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const name = `${at.toISOString().slice(0, 19).replaceAll(':', '')}.json`;
  const figures = { machine, at: at.toISOString(), ...result };
  await writeFile(new URL(name, folder), `${JSON.stringify(figures, undefined, 2)}\n`);
  console.log(`written to interop/results/${name}`);
  if ([publishers, viewers, forms].every((chosen) => chosen.length === 0)) {
    await writeFile(new URL('../docs/interop.md', import.meta.url), markdown(result, { at, machine }));
    console.log('written to docs/interop.md');
  }
  return isWell(result) ? 0 : 1;
}

function listFrom<Name extends string>(option: string, text: string, known: readonly Name[]): Name[] {
  return text
    .split(',')
    .filter(Boolean)
    .map((name) => {
      const found = known.find((one) => one === name);
      if (found === undefined) throw new Error(`${option} ${name}: there are ${known.join(', ')}`);
      return found;
    });
}
