// Percentiles of a handful of measurements.

/** The nearest-rank percentile. @param percent 0 to 100. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** Of an even count, the mean of the two in the middle; of nothing, NaN. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[sorted.length / 2 - 1] ?? Number.NaN)) / 2;
}

/** One row of a table: count, median, 99th percentile and maximum, in ms. */
export const summary = (what: string, milliseconds: readonly number[]): Record<string, string | number> => ({
  what,
  n: milliseconds.length,
  'p50 ms': Number(median(milliseconds).toFixed(1)),
  'p99 ms': Number(percentile(milliseconds, 99).toFixed(1)),
  'max ms': Number(Math.max(...milliseconds).toFixed(1)),
});

/** A median with the smallest and the largest, as `1.31 (0.81–1.67)`; nothing of nothing. */
export const spread = (values: readonly number[], digits: number): string => {
  if (values.length === 0) return '';
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
};
