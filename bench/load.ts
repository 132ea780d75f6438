// Runs the load generator (bench/load) and reads what it tells, line by line.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { LOAD_GENERATOR, loadGenerator } from '../scripts/setup/load-generator.mjs';

/** ms. */
const times = z.union([
  z.object({ count: z.literal(0) }),
  z.object({ count: z.number(), p50: z.number(), p95: z.number(), p99: z.number(), max: z.number() }),
]);
const joins = z.object({ answerMs: times, firstPacketMs: times, firstKeyFrameMs: times });
export type JoinTimes = z.infer<typeof joins>;

/** What viewers received while they were measured. */
const reception = z.object({
  viewers: z.number(),
  seconds: z.number(),
  /** SRTP suites, comma-separated. */
  suites: z.string(),
  /** Packets. */
  expected: z.number(),
  received: z.number(),
  lost: z.number(),
  late: z.number(),
  duplicates: z.number(),
  /** Of the lost, those that the generator was too slow for. */
  overflowed: z.number(),
  /** Viewers whose session failed. */
  failed: z.number(),
  /** Viewers to whom nothing came. */
  silent: z.number(),
  longestSilenceMs: z.number(),
  latencyMs: z.object({ count: z.number(), p50: z.number(), p99: z.number(), max: z.number() }),
  /** The generator's own, as a share of a core. */
  ownCpu: z.number(),
});
const step = reception.extend({ refused: z.number(), joins });
const churned = z.object({
  rate: z.number(),
  cycles: z.number(),
  refused: z.number(),
  joins,
  steady: reception,
});
export type Reception = z.infer<typeof reception>;
export type Step = z.infer<typeof step>;
export type Churned = z.infer<typeof churned>;

const loadEvent = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('published'),
    answerMs: z.number(),
    connectedMs: z.number(),
    suite: z.string(),
  }),
  z.object({ event: z.literal('playable') }),
  z.object({ event: z.literal('joined'), answerMs: z.number(), firstPacketMs: z.number() }),
  /** A viewer's session, refused or failed; status 0 where the POST had no answer, or no media came. */
  z.object({ event: z.literal('ended'), status: z.number(), why: z.string() }),
  z.object({ event: z.literal('measuring'), viewers: z.number() }),
  z.object({ event: z.literal('measured'), result: step }),
  z.object({ event: z.literal('cycled'), cycles: z.number() }),
  z.object({ event: z.literal('churned'), result: churned }),
  z.object({ event: z.literal('failed'), what: z.string(), status: z.number(), why: z.string() }),
  z.object({
    event: z.literal('summary'),
    results: z.array(z.union([step, churned])),
    published: z.object({ packets: z.number(), keyFrames: z.number(), askedAgain: z.number() }).optional(),
  }),
]);
export type LoadEvent = z.infer<typeof loadEvent>;

/** Counts viewers whose sessions ended without being asked to, by what they said. */
export class EndedViewers {
  readonly #counts = new Map<string, number>();

  add({ status, why }: { status: number; why: string }): void {
    const what = `${status} ${why}`;
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  /** A line for each reason since the last call. */
  take(): string[] {
    const lines = [...this.#counts].map(([what, count]) => `viewers that ended: ${count} × ${what}`);
    this.#counts.clear();
    return lines;
  }
}

export interface LoadOptions {
  /** Without it the stream is one that another load generator on this machine publishes. */
  whip?: string;
  /** Without it nobody watches: the stream is published for the duration. */
  whep?: string;
  token?: string | undefined;
  /** Viewers, step by step. */
  steps?: readonly number[];
  /** Seconds that each step is measured. */
  duration: number;
  /** Seconds between a step's last join and its measurement. */
  settle?: number;
  /** ms, the mean time between two joins. */
  joinEvery?: number;
  /** Joins a second after the last step, and how many. */
  churn?: { rate: number; cycles: number };
  /** Simulcast layers that are published. */
  layers?: 1 | 3;
  /** Those of browsers where not given. */
  suites?: readonly string[] | undefined;
}

/** Milliseconds for the longest of runs; one that hangs is not waited for. */
const LONGEST = 1_800_000;
/** Milliseconds for it to end its sessions; by itself it gives up after 10 s. */
const STOP_WITHIN = 15_000;

/**
 * One run. Whoever stops listening ends it, and all its sessions.
 * @throws Error when the publisher is refused, nothing is playable, or sessions were left behind.
 */
export async function* load(options: LoadOptions): AsyncGenerator<LoadEvent, void> {
  if (!loadGenerator.isReady()) await loadGenerator.make();
  const program = spawn(LOAD_GENERATOR, commandLine(options), {
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: LONGEST,
    killSignal: 'SIGKILL',
  });
  const exited = once(program, 'exit');
  exited.catch(() => undefined);
  try {
    for await (const line of createInterface({ input: program.stdout })) {
      const event = loadEvent.parse(JSON.parse(line));
      if (event.event === 'failed')
        throw new Error(`${event.what} was refused or failed: ${event.status} ${event.why}`);
      yield event;
    }
    const [code] = await exited;
    if (code !== 0)
      throw new Error(
        `the load generator ended with ${code ?? 'a signal'}: see its message, or a session was not ended`,
      );
  } finally {
    program.stdin.end();
    const timer = setTimeout(() => program.kill('SIGKILL'), STOP_WITHIN);
    await exited;
    clearTimeout(timer);
  }
}

function commandLine({
  whip,
  whep,
  token,
  steps,
  duration,
  settle,
  joinEvery,
  churn,
  layers,
  suites,
}: LoadOptions) {
  const given: Record<string, string | number | undefined> = {
    '--whip': whip,
    '--token': token,
    '--whep': whep,
    '--steps': steps?.join(','),
    '--duration': duration,
    '--settle': settle,
    '--join-every': joinEvery,
    '--churn': churn?.rate,
    '--cycles': churn?.cycles,
    '--layers': layers,
    '--suites': suites?.join(','),
  };
  return Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]));
}
