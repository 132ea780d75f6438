// `npm run bench -- plots`: draws what the last benchmarks measured, for docs/performance.md.

import { readFile, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { type Bar, barChart } from './bars.ts';
import type { BenchResult } from './result.ts';

const cell = z.union([z.string(), z.number()]);
const written = z.object({ rows: z.array(z.record(z.string(), cell)) });
type Row = z.infer<typeof written>['rows'][number];

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

/** @throws Error when a benchmark has not been run, or its table has not got the column. */
export async function run(): Promise<BenchResult> {
  const rows: BenchResult['rows'] = [];
  for (const { bench, title, label, column } of PLOTS) {
    const results = new URL(`./results/${bench}.json`, import.meta.url);
    const { rows: measured } = written.parse(JSON.parse(await readFile(results, 'utf8')));
    const bars = measured.flatMap((row): Bar[] => {
      const name = label(row);
      return name === undefined ? [] : [{ label: name, ...figure(row[column], `${bench}: ${column}`) }];
    });
    const file = `performance-${bench}.svg`;
    await writeFile(new URL(`../docs/${file}`, import.meta.url), barChart(title, bars));
    rows.push({ bench, plot: `docs/${file}`, bars: bars.length });
  }
  return { rows };
}

/** `1.31 (0.81–1.67)`, as tables show a median with its spread, or a number alone. */
const MEDIAN = /^([\d.]+) \(([\d.]+)–([\d.]+)\)$/;

function figure(value: Row[string] | undefined, what: string): Omit<Bar, 'label'> {
  if (typeof value === 'number') return { value, spread: undefined };
  const [, median, least, most] = MEDIAN.exec(value ?? '') ?? [];
  if (median === undefined) throw new Error(`${what} is ${value}, which cannot be drawn`);
  return { value: Number(median), spread: [Number(least), Number(most)] };
}
