// What joining and leaving costs: how long joins take at a rate, what the steady viewers notice, and what memory stays.

import { parseArgs } from 'node:util';
import { liveHeap } from './heap.ts';
import { cpuBetween, type Kind, ofKind, residentOf } from './kinds.ts';
import { type Churned, EndedViewers, load } from './load.ts';
import { type ProcessFacts, processTree } from './processes.ts';
import type { BenchResult } from './result.ts';
import { ours, type Server } from './servers.ts';

export const usage = `\
  --rates R,R,...     joins a second (20,50,100)
  --viewers N         who stay meanwhile (100)
  --seconds S         of each rate (20)
  --cycles N          joins in all; what the rates leave is done at --cycle-rate (10000)
  --cycle-rate R      joins a second for those (50)
  --short             10 viewers, 20 joins a second for 2 s, 60 joins in all: only to see that it works
`;

interface ChurnOptions {
  rates: number[];
  viewers: number;
  seconds: number;
  cycles: number;
  cycleRate: number;
}

/** What a join and its leave cost beside the steady viewers, in CPU ms. */
type JoinCost = Record<'gateway' | 'nodes' | 'media workers', number>;

interface Measured extends Churned {
  cost: JoinCost;
}

/** Bytes after so many cycles, with the steady viewers there and nobody joining. */
interface Memory {
  cycles: number;
  /** Resident. */
  nodes: number;
  workers: number;
  /** The nodes' live heaps. */
  live: number;
}

/**
 * Before so many cycles processes still come to their working size; and who joins after a look waits longer, for it
 * makes V8 throw away compiled code.
 */
const WARM = 1_000;
/** Seconds that the steady viewers are alone, so that their cost can be told from the joins'. */
const QUIET = 5;

export function prepare(args: string[]): () => Promise<BenchResult> {
  const options = optionsFrom(args);
  return () => run(options);
}

/** @throws Error when the server does not start, or refuses the publisher. */
async function run(options: ChurnOptions): Promise<BenchResult> {
  const { rates, viewers, seconds, cycles, cycleRate } = options;
  const planned = rates.map((rate) => ({ rate, cycles: Math.ceil(rate * seconds) }));
  const left = cycles - planned.reduce((sum, one) => sum + one.cycles, 0);
  if (left > 0) planned.push({ rate: cycleRate, cycles: left });

  const memory: Memory[] = [];
  const results: Measured[] = [];
  const server = await ours('meridian', { nodes: 2, workers: 1, inspected: true }).start();
  try {
    let done = 0;
    for (const churn of [...planned, undefined]) {
      const what = churn ? `${churn.cycles} joins, ${churn.rate} a second` : 'the memory after all joins';
      process.stderr.write(`churn: ${what}, beside ${viewers} viewers\n`);
      const look = async () => {
        if (churn === undefined || done >= WARM) memory.push(await memoryOf(server, done));
      };
      const result = await measure(server, viewers, churn, look);
      if (result) results.push(result);
      done += churn?.cycles ?? 0;
    }
  } finally {
    await server.close();
  }
  return {
    rows: results.map(row),
    notes: [
      memoryNote(memory),
      'Refused: also who got no media in a minute. Lost: of what came until a viewer’s last packet; who got no more is in the longest silence, who was ended in “without media”.',
      `Beside ${viewers} viewers who stay; who joins watches for half a second on average, from its first packet on.`,
      'Publisher and viewers are bench/load on the same machine: H264 at 1 Mbps and 30 fps, and Opus.',
    ],
    details: { options, results, memory },
  };
}

function optionsFrom(args: string[]): ChurnOptions {
  const { values } = parseArgs({
    args,
    options: {
      rates: { type: 'string' },
      viewers: { type: 'string' },
      seconds: { type: 'string' },
      cycles: { type: 'string' },
      'cycle-rate': { type: 'string' },
      short: { type: 'boolean', default: false },
    },
  });
  const { rates, viewers, seconds, cycles, short } = values;
  const options = {
    rates: (rates ?? (short ? '20' : '20,50,100')).split(',').map(Number),
    viewers: Number(viewers ?? (short ? 10 : 100)),
    seconds: Number(seconds ?? (short ? 2 : 20)),
    cycles: Number(cycles ?? (short ? 60 : 10_000)),
    cycleRate: Number(values['cycle-rate'] ?? 50),
  };
  const whole = [options.viewers, options.cycles].every((count) => Number.isInteger(count) && count >= 2);
  if (!whole || ![...options.rates, options.seconds, options.cycleRate].every((number) => number > 0))
    throw new Error(`wrong options: ${args.join(' ')}`);
  return options;
}

/** CPU seconds are read from processes so far. */
interface Moment {
  at: number;
  processes: ProcessFacts[];
}

/** @param look called when the steady viewers are there, before their CPU is read: it costs some. */
async function measure(
  { whip, whep, token, pid }: Server,
  viewers: number,
  churn: { rate: number; cycles: number } | undefined,
  look: () => Promise<unknown>,
): Promise<Measured | undefined> {
  const ended = new EndedViewers();
  const now = async (): Promise<Moment> => ({ at: performance.now(), processes: await processTree(pid) });
  // The last one to stay comes after the quiet seconds, and the churn with it.
  const given = {
    whip,
    whep,
    token,
    steps: [viewers - 1, viewers],
    duration: QUIET,
    ...(churn && { churn }),
  };
  const moments: Moment[] = [];
  let result: Churned | undefined;
  for await (const event of load(given)) {
    if (event.event === 'measuring') {
      if (moments.length === 0) await look();
      moments.push(await now());
    } else if (event.event === 'measured' && moments.length === 1) moments.push(await now());
    else if (event.event === 'ended') ended.add(event);
    else if (event.event === 'churned') {
      moments.push(await now());
      result = event.result;
    }
  }
  for (const line of ended.take()) process.stderr.write(`churn: ${line}\n`);
  if (churn === undefined) return undefined;
  if (result === undefined) throw new Error('the load generator ended before the churn did');
  return { ...result, cost: costOf(moments, churn.cycles) };
}

/** @param moments the quiet seconds' begin and end, then the churn's. */
function costOf([quiet, quietEnd, begin, end]: readonly Moment[], cycles: number): JoinCost {
  if (!quiet || !quietEnd || !begin || !end) throw new Error('the load generator left out a step');
  const cost = (kind: Kind) => {
    const share = cpuBetween(quiet.processes, quietEnd.processes, [kind]) / (quietEnd.at - quiet.at);
    const used = cpuBetween(begin.processes, end.processes, [kind]);
    return (1_000 * (used - share * (end.at - begin.at))) / cycles;
  };
  return { gateway: cost('gateway'), nodes: cost('nodes'), 'media workers': cost('media workers') };
}

async function memoryOf({ pid }: Server, cycles: number): Promise<Memory> {
  const processes = await processTree(pid);
  const heaps = await Promise.all(ofKind(processes, 'nodes').map((node) => liveHeap(node.pid)));
  return {
    cycles,
    nodes: residentOf(processes, ['nodes']),
    workers: residentOf(processes, ['media workers']),
    live: heaps.reduce((sum, heap) => sum + heap, 0),
  };
}

function row({ rate, cycles, refused, joins, steady, cost }: Measured): BenchResult['rows'][number] {
  const times = (of: keyof Churned['joins']) => {
    const figures = joins[of];
    return 'p50' in figures ? `${figures.p50.toFixed(0)}, ${figures.p99.toFixed(0)}` : '';
  };
  return {
    'joins a second': rate,
    joins: cycles,
    refused,
    'POST → 201 p50, p99 ms': times('answerMs'),
    'POST → first RTP p50, p99 ms': times('firstPacketMs'),
    'POST → key frame p50, p99 ms': times('firstKeyFrameMs'),
    'CPU ms a join: gateway, nodes, media workers': [cost.gateway, cost.nodes, cost['media workers']]
      .map((milliseconds) => milliseconds.toFixed(1))
      .join(', '),
    'steady: lost %': ((100 * steady.lost) / steady.expected).toFixed(3),
    'steady: without media': steady.failed + steady.silent,
    'steady: longest silence ms': steady.longestSilenceMs.toFixed(0),
    'steady: delay p99 ms': steady.latencyMs.p99.toFixed(1),
  };
}

function memoryNote(memory: readonly Memory[]): string {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
  const told = memory.map(
    ({ cycles, live, nodes, workers }) =>
      `after ${cycles} joins ${megabytes(live)} live, ${megabytes(nodes)} resident, media workers ${megabytes(workers)}`,
  );
  const [begin, last] = [memory[0], memory.at(-1)];
  if (begin === undefined || last === undefined) return '';
  const joins = last.cycles - begin.cycles;
  const each = `${((last.live - begin.live) / joins).toFixed(0)} live bytes a join from ${begin.cycles} on`;
  return `Memory of the nodes: ${told.join('; ')}${joins > 0 ? `; ${each}` : ''}.`;
}
