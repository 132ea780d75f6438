// What a benchmark is, and what it gives.

/** One of which something can be chosen, or one that is always the same. */
export type Benchmark =
  | {
      /** Its options, a line each. */
      usage: string;
      /** What measures with these options. @throws Error when one is wrong. */
      prepare: (args: string[]) => () => Promise<BenchResult>;
    }
  | { run: () => Promise<BenchResult> };

export interface BenchResult {
  /** Of the table that is printed. */
  rows: Record<string, string | number>[];
  /** What a reader of the table must know. */
  notes?: string[];
  /** Every single measurement, for the file that is written. */
  details?: unknown;
}
