// `npm run bench:page`: puts what the last benchmarks measured into docs/performance.md, as tables and plots.

import { readFile, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { why } from '#local/program.ts';
import { type Bar, barChart } from './bars.ts';

const cell = z.union([z.string(), z.number()]);
const written = z.object({
  /** As it was given: `fanout --seconds 10`. */
  command: z.string(),
  machine: z.string(),
  at: z.iso.datetime(),
  rows: z.array(z.record(z.string(), cell)),
  notes: z.array(z.string()).default([]),
});
type Written = z.infer<typeof written>;
type Row = Written['rows'][number];

const PAGE = new URL('../docs/performance.md', import.meta.url);
/** Where a benchmark's table stands in the page; what is between is written anew. */
const PLACE = /<!-- bench: ([a-z-]+) -->\n.*?<!-- end -->/gs;

interface Plot {
  bench: string;
  title: string;
  /** Undefined for a row that is not shown. */
  label: (row: Row) => string | undefined;
  column: string;
}

const PLOTS: readonly Plot[] = [
  {
    bench: 'fanout',
    title: 'CPU seconds of all processes for a viewer’s minute',
    label: ({ viewers, server }) => `${viewers} viewers, ${server}`,
    column: 'CPU s per viewer-minute',
  },
  {
    bench: 'hop',
    title: 'Delay from the publisher’s send to the viewer, p50, ms',
    label: ({ layers, at, hops }) => `${layers === 1 ? '1 layer' : `${layers} layers`}, ${at} (${hops} hops)`,
    column: 'delay p50 ms',
  },
  {
    bench: 'first-frame',
    title: 'From POST to the first decoded picture, p50, ms',
    label: ({ what, 'round trip ms': roundTrip }) =>
      String(what).startsWith('POST → first')
        ? `${String(what).replace('POST → first decoded frame, ', '')}, ${roundTrip} ms apart`
        : undefined,
    column: 'p50 ms',
  },
];

async function resultOf(bench: string): Promise<Written> {
  const file = new URL(`./results/${bench}.json`, import.meta.url);
  const text = await readFile(file, 'utf8').catch(() => {
    throw new Error(`${bench} has not been measured here: npm run bench -- ${bench}`);
  });
  try {
    return written.parse(JSON.parse(text));
  } catch (error) {
    const fault = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new Error(`bench/results/${bench}.json is no result: ${fault}`);
  }
}

/** The command, the table and its notes, in Markdown. */
function table({ command, machine, at, rows, notes }: Written): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((text) => String(text).replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    `\`npm run bench -- ${command}\` (${at.slice(0, 10)}, ${machine}):`,
    '',
    line(columns),
    line(columns.map(() => '---')),
    ...rows.map((row) => line(columns.map((column) => row[column] ?? ''))),
    '',
    ...notes.map((note) => `- ${note}`),
  ].join('\n');
}

/** `1.31 (0.81–1.67)`, as tables show a median with its spread, or a number alone. */
const MEDIAN = /^([\d.]+) \(([\d.]+)–([\d.]+)\)$/;

function figure(value: Row[string] | undefined, what: string): Omit<Bar, 'label'> {
  if (typeof value === 'number') return { value, spread: undefined };
  const [, median, least, most] = MEDIAN.exec(value ?? '') ?? [];
  if (median === undefined) throw new Error(`${what} is ${value}, which cannot be drawn`);
  return { value: Number(median), spread: [Number(least), Number(most)] };
}

try {
  await writePage();
} catch (error) {
  process.stderr.write(`bench:page: ${why(error)}\n`);
  process.exitCode = 1;
}

async function writePage(): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const benches = [...page.matchAll(PLACE)].map(([, bench = '']) => bench);
  const results = new Map<string, Written>();
  for (const bench of new Set([...benches, ...PLOTS.map((plot) => plot.bench)]))
    results.set(bench, await resultOf(bench));

  // All before anything is written: half a page would be of two days.
  const plots = PLOTS.map(({ bench, title, label, column }) => {
    const bars = (results.get(bench)?.rows ?? []).flatMap((row): Bar[] => {
      const name = label(row);
      return name === undefined ? [] : [{ label: name, ...figure(row[column], `${bench}: ${column}`) }];
    });
    return { file: `performance-${bench}.svg`, svg: barChart(title, bars) };
  });
  const filled = page.replace(PLACE, (place, bench) => {
    const result = results.get(bench);
    return result ? `<!-- bench: ${bench} -->\n${table(result)}\n<!-- end -->` : place;
  });
  for (const { file, svg } of plots) await writeFile(new URL(`../docs/${file}`, import.meta.url), svg);
  await writeFile(PAGE, filled);
  console.log(`docs/performance.md has ${benches.join(', ')}`);
}
