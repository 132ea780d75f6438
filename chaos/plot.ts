// The gaps of a run as an SVG: a row for each kind, a dot for each viewer and event, a logarithmic axis.

import type { ChaosResult, MeasuredGap } from './run.ts';

/** What a viewer should not have to wait longer than, in ms (an aim of our own). */
export const TARGET = 1_000;

const LEFT = 190;
const WIDTH = 720;
const ROW = 30;
const TOP = 40;
/** ms at the ends of the axis. */
const AXIS = { from: 10, to: 60_000 };
const TICKS = [10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000];

const x = (ms: number): number => {
  const within = Math.min(AXIS.to, Math.max(AXIS.from, ms));
  return LEFT + (WIDTH * Math.log(within / AXIS.from)) / Math.log(AXIS.to / AXIS.from);
};

export function plot({ seed, events }: ChaosResult): string {
  const kinds = [...Map.groupBy(events, ({ kind }) => kind)];
  const height = TOP + kinds.length * ROW;
  const parts = [
    `<rect width="100%" height="100%" fill="white"/>`,
    text(LEFT, 16, `Media gaps by kind of event, ms, seed ${seed}`, 'start'),
    ...TICKS.flatMap((ms) => [
      line(x(ms), '#ddd'),
      text(x(ms), height + 16, ms.toLocaleString('en'), 'middle'),
    ]),
    `${line(x(TARGET), '#c00', '4 3')}${text(x(TARGET) + 4, 32, 'target', 'start', '#c00')}`,
    ...kinds.flatMap(([kind, of], index) => {
      const y = TOP + (index + 0.5) * ROW;
      const gaps = of
        .flatMap((event) => event.gaps)
        .filter(({ concerned, edgeDied }) => concerned || edgeDied);
      return [text(LEFT - 10, y + 4, kind, 'end'), ...gaps.map((gap, at) => dot(gap, y + jitter(at)))];
    }),
    text(
      LEFT,
      height + 34,
      'filled: on a node that stayed · hollow: the viewer’s own node was hit · pale: measured late',
      'start',
    ),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 30}" height="${height + 44}" font-family="sans-serif" font-size="12">
<title>Media gaps by kind of event</title>
${parts.join('\n')}
</svg>
`;

  function line(at: number, colour: string, dashes = 'none'): string {
    return `<path d="M${at.toFixed(1)} ${TOP}V${height}" stroke="${colour}" stroke-dasharray="${dashes}"/>`;
  }
}

function dot({ ms, edgeDied, trusted }: MeasuredGap, y: number): string {
  const look = edgeDied ? 'fill="none" stroke="#36c"' : 'fill="#36c"';
  return `<circle cx="${x(ms).toFixed(1)}" cy="${y.toFixed(1)}" r="3" opacity="${trusted ? 0.6 : 0.2}" ${look}/>`;
}

const text = (at: number, y: number, what: string, anchor: string, colour = '#222'): string =>
  `<text x="${at.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" fill="${colour}">${what}</text>`;

/** So that dots of one row do not hide each other; the same at every drawing. */
const jitter = (index: number): number => (((index * 7) % 11) / 10 - 0.5) * (ROW - 12);
