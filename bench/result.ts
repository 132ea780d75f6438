// What a benchmark gives.

export interface BenchResult {
  /** Of the table that is printed. */
  rows: Record<string, string | number>[];
  /** What a reader of the table must know. */
  notes?: string[];
  /** Every single measurement, for the file that is written. */
  details?: unknown;
}
