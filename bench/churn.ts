// What joining and leaving costs: how long joins take at a rate, what the steady viewers notice, and what memory stays.

import { parseArgs } from 'node:util';
import { residentOf } from './kinds.ts';
import { type Churned, EndedViewers, load } from './load.ts';
import { processTree } from './processes.ts';
import type { BenchResult } from './result.ts';
import { OURS, type Server } from './servers.ts';

const USAGE = `npm run bench -- churn [options]
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

/** Nodes and media workers, in bytes. */
interface Memory {
  cycles: number;
  nodes: number;
  workers: number;
}

/** Between two looks at the memory, in cycles. */
const MEMORY_EVERY = 1_000;

/** @throws Error when an option is wrong, the server does not start, or it refuses the publisher. */
export async function run(args: string[]): Promise<BenchResult> {
  const options = optionsFrom(args);
  const { rates, viewers, seconds, cycles, cycleRate } = options;
  const planned = rates.map((rate) => ({ rate, cycles: Math.ceil(rate * seconds) }));
  const left = cycles - planned.reduce((sum, one) => sum + one.cycles, 0);
  if (left > 0) planned.push({ rate: cycleRate, cycles: left });

  const server = await OURS.start();
  const memory: Memory[] = [];
  const results: Churned[] = [];
  try {
    for (const churn of planned) {
      process.stderr.write(
        `churn: ${churn.cycles} joins, ${churn.rate} a second, beside ${viewers} viewers\n`,
      );
      results.push(await measure(server, viewers, churn, memory));
    }
  } finally {
    await server.close();
  }
  return {
    rows: results.map(row),
    notes: [
      memoryNote(memory),
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
  const whole = [options.viewers, options.cycles].every((count) => Number.isInteger(count) && count >= 1);
  if (!whole || ![...options.rates, options.seconds, options.cycleRate].every((number) => number > 0))
    throw new Error(`wrong options: ${args.join(' ')}\n${USAGE}`);
  return options;
}

async function measure(
  { whip, whep, token, pid }: Server,
  viewers: number,
  churn: { rate: number; cycles: number },
  memory: Memory[],
): Promise<Churned> {
  const before = memory.at(-1)?.cycles ?? 0;
  const look = async (cycles: number) => {
    const processes = await processTree(pid);
    memory.push({
      cycles: before + cycles,
      nodes: residentOf(processes, ['nodes']),
      workers: residentOf(processes, ['media workers']),
    });
  };
  const ended = new EndedViewers();
  let result: Churned | undefined;
  for await (const event of load({ whip, whep, token, steps: [viewers], duration: 1, churn })) {
    // Always with the steady viewers there, so that looks can be compared.
    if (event.event === 'measuring' && memory.length === 0) await look(0);
    else if (event.event === 'cycled' && event.cycles % MEMORY_EVERY === 0) await look(event.cycles);
    else if (event.event === 'ended') ended.add(event);
    else if (event.event === 'churned') {
      for (const line of ended.take()) process.stderr.write(`churn: ${line}\n`);
      await look(churn.cycles);
      result = event.result;
    }
  }
  if (result === undefined) throw new Error('the load generator ended before the churn did');
  return result;
}

function row({ rate, cycles, refused, joins, steady }: Churned): BenchResult['rows'][number] {
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
    'steady: lost %': ((100 * steady.lost) / steady.expected).toFixed(3),
    'steady: without media': steady.failed + steady.silent,
    'steady: longest silence ms': steady.longestSilenceMs.toFixed(0),
    'steady: delay p99 ms': steady.latencyMs.p99.toFixed(1),
  };
}

/** The first look after a thousand cycles is the beginning: before it, processes still come to their working size. */
function memoryNote(memory: readonly Memory[]): string {
  const megabytes = ({ nodes, workers, cycles }: Memory) =>
    `after ${cycles} joins nodes ${(nodes / 1e6).toFixed(0)} MB, media workers ${(workers / 1e6).toFixed(1)} MB`;
  const [first, last] = [memory[0], memory.at(-1)];
  if (first === undefined || last === undefined) return '';
  const begin = memory.find(({ cycles }) => cycles >= MEMORY_EVERY) ?? first;
  const told = [...new Set([first, begin, last])].map(megabytes).join('; ');
  const grown = last.nodes + last.workers - begin.nodes - begin.workers;
  const joins = last.cycles - begin.cycles;
  return `Resident: ${told}${joins > 0 ? `; ${(grown / joins).toFixed(0)} bytes a join from ${begin.cycles} on` : ''}.`;
}
