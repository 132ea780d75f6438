// A run's table and figures.

import { percentile } from '#bench/statistics.ts';
import type { KindName } from './events.ts';
import { LATE } from './lag.ts';
import type { ChaosResult, EventResult } from './run.ts';

export interface Row {
  kind: KindName;
  events: number;
  [column: string]: string | number;
}

export function rows({ events }: ChaosResult): Row[] {
  return [...Map.groupBy(events, ({ kind }) => kind)].map(([kind, of]) => row(kind, of));
}

function row(kind: KindName, events: readonly EventResult[]): Row {
  const all = events.flatMap(({ gaps }) => gaps);
  const stayed = all.filter(({ edgeDied }) => !edgeDied);
  const gaps = stayed.filter(({ concerned }) => concerned).map(({ ms }) => ms);
  const waited = stayed.filter(({ concerned }) => concerned);
  const back = known(waited.map(({ encoderBack }) => encoderBack));
  const ours = waited.flatMap(({ ms, encoderBack }) =>
    encoderBack === undefined ? [] : Math.max(0, ms - encoderBack),
  );
  const others = stayed.filter(({ concerned }) => !concerned).map(({ ms }) => ms);
  const died = all.filter(({ edgeDied }) => edgeDied).map(({ ms }) => ms);
  return {
    kind,
    events: events.length,
    'claims p50': figure(known(events.map(({ detection }) => detection)), 50),
    'encoder back p50': figure(back, 50),
    viewers: gaps.length,
    'gap p50': figure(gaps, 50),
    'gap p95': figure(gaps, 95),
    'gap max': figure(gaps, 100),
    'less encoder, p95': figure(ours, 95),
    'others max': figure(others, 100),
    'edge died, max': figure(died, 100),
    'sessions lost': stayed.reduce((sum, { lost }) => sum + lost, 0),
    renegotiations: stayed.reduce((sum, { renewed }) => sum + renewed, 0),
    'after quiet': events.every(({ broken }) => broken.length === 0)
      ? 'ok'
      : `${events.filter(({ broken }) => broken.length > 0).length} not`,
  };
}

const known = (values: readonly (number | undefined)[]) => values.filter((value) => value !== undefined);

const figure = (values: readonly number[], percent: number): number | string =>
  values.length === 0 ? '' : Math.round(percentile(values, percent));

/** What a reader of the table must know, and everything that was broken. */
export function notes({ events, broken, cut }: ChaosResult): string[] {
  const gaps = events.flatMap((event) => event.gaps);
  const doubtful = gaps.filter(({ trusted }) => !trusted).length;
  return [
    'All times are ms. A gap is the longest time between two decoded pictures from the event until all was quiet again.',
    'gap: viewers whose stream came through what was hit, on nodes that stayed; others: all other viewers; edge died: viewers of the node that was hit, who join again 1 s after their last picture.',
    'Encoders publish again 3 s after the last byte from their node: an origin’s gap holds that (“encoder back”); “less encoder” is what is left of it.',
    `The viewers’ processes were ${Math.max(0, ...events.map(({ lag }) => lag))} ms late at the most; ${doubtful} of ${gaps.length} gaps are not to be trusted (lags above ${LATE} ms make more than a tenth of them).`,
    ...(cut ? [] : ['Not root: no cable was pulled.']),
    ...broken.map((what) => `BROKEN ${what}`),
    ...events.flatMap(({ kind, target, at, broken: wrong }) =>
      wrong.map((what) => `BROKEN ${kind} at ${at} s (${target}): ${what}`),
    ),
  ];
}

/** Whether every invariant held. */
export const isWell = ({ events, broken }: ChaosResult): boolean =>
  broken.length === 0 && events.every((event) => event.broken.length === 0);
