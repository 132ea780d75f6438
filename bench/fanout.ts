// What a viewer costs: CPU, memory, delay and loss of one stream to many viewers, beside a bare mediasoup router.

import { parseArgs } from 'node:util';
import { cpuBetween, type Kind, residentOf } from './kinds.ts';
import { EndedViewers, load, type Step } from './load.ts';
import { type ProcessFacts, processTree } from './processes.ts';
import type { BenchResult } from './result.ts';
import { BARE, OURS, OURS_ON_ONE_NODE, peer, type Server, type ServerKind } from './servers.ts';
import { median, spread } from './statistics.ts';

const STEPS = '10,50,100,200,400';

/** @param steps of viewers, where none are given. */
export const comparing = (steps: string): string => `\
  --viewers N,N,...   how many watch, step by step (${steps})
  --repeats N         of all, in turn (3)
  --seconds S         that each step is measured (15)
  --layers 1|3        simulcast layers that are published (1)
  --suites A,B,...    SRTP suites that are offered (those of browsers)
  --short             10 viewers, once, for 3 s: only to see that it works
`;

export const usage = `${comparing(STEPS)}\
  --peer NAME,WHIP,WHEP,PID
                      another server that runs already, and the process whose tree does its work; may be repeated
`;

/** A generator on a machine has not got more of its cores, nor a reader more of their patience: viewers, and seconds. */
const [MOST_VIEWERS, LONGEST] = [10_000, 3_600];

const NOTES = [
  'CPU is of all processes of a server: Meridian’s are gateway, nodes, media workers, database, DNS and page; bare is one mediasoup router in one program, with a node’s socket buffers.',
  'meridian: an origin node and an edge, and the leg between them; one node: publisher and viewers on the same, as on a single server. Nodes’ CPU is that of their processes and media workers: what an operator’s instances do, for the rest is Lambda’s, DynamoDB’s and Route 53’s there.',
];

interface FanoutOptions {
  viewers: number[];
  repeats: number;
  seconds: number;
  peers: ServerKind[];
  layers: 1 | 3;
  suites: string[] | undefined;
}

/** Seconds between a step's last join and its measurement: what joins leave to be compiled and collected is not theirs who stay. */
const SETTLE = 5;

/** One server with so many viewers. */
interface Measured {
  server: string;
  repeat: number;
  viewers: number;
  /** CPU seconds in the minute of a viewer to whom media comes: of all processes, and of each kind of them. */
  cpu: number;
  cpuByKind: Record<Kind, number>;
  /** Resident bytes that a viewer adds to the processes of the server. */
  memory: number;
  step: Step;
}

/** What it returns throws an Error when no server starts, or all refuse the publisher. */
export function prepare(args: string[]): () => Promise<BenchResult> {
  const options = optionsFrom(args, STEPS);
  return async () => {
    // Nobody wants to hear after a quarter of an hour that a peer is not there.
    for (const kind of options.peers) await kind.start();
    return compare([OURS, OURS_ON_ONE_NODE, BARE, ...options.peers], BARE, options, NOTES);
  };
}

/** Every server in turn, again and again. @param base the one that the others' figures are divided by. */
export async function compare(
  servers: readonly ServerKind[],
  base: ServerKind,
  options: FanoutOptions,
  notes: readonly string[],
): Promise<BenchResult> {
  const measured: Measured[] = [];
  const failures: string[] = [];
  for (let repeat = 0; repeat < options.repeats; repeat += 1) {
    // Turned around each time: what drifts with time then weighs on all alike.
    for (const kind of repeat % 2 === 0 ? servers : servers.toReversed()) {
      process.stderr.write(`${kind.name}, ${repeat + 1} of ${options.repeats}\n`);
      let server: Server | undefined;
      try {
        server = await kind.start();
        for await (const step of measure(kind.name, server, repeat, options)) measured.push(step);
      } catch (error) {
        // What has been measured stands; a server that can no more is a result, too.
        const failure = `${kind.name}, repeat ${repeat + 1}: ${error instanceof Error ? error.message : String(error)}`;
        process.stderr.write(`${failure}\n`);
        failures.push(failure);
      } finally {
        await server?.close();
      }
    }
  }
  if (measured.length === 0) throw new Error(failures.join('; '));
  return {
    rows: options.viewers.flatMap((viewers) =>
      servers
        .filter(({ name }) => measured.some((one) => one.server === name && one.viewers === viewers))
        .map(({ name }) => row(measured, { server: name, base: base.name, viewers })),
    ),
    notes: [
      ...notes,
      'Medians of the repeats; in brackets the smallest and the largest. The delay is from the publisher’s send to the viewer’s kernel, of packets that came in order; a packet that was sent again counts as received.',
      'Publisher and viewers are bench/load on the same machine: H264 at 1 Mbps and 30 fps, and Opus.',
      ...failures.map((failure) => `Ended before its last step: ${failure}.`),
    ],
    details: { options: { ...options, peers: options.peers.map(({ name }) => name) }, measured },
  };
}

/** @param steps of viewers, where none are given. @throws Error when one of them is wrong. */
export function optionsFrom(args: string[], steps: string): FanoutOptions {
  const { values } = parseArgs({
    args,
    options: {
      viewers: { type: 'string' },
      repeats: { type: 'string' },
      seconds: { type: 'string' },
      peer: { type: 'string', multiple: true, default: [] },
      layers: { type: 'string', default: '1' },
      suites: { type: 'string' },
      short: { type: 'boolean', default: false },
    },
  });
  const { viewers, repeats, seconds, layers, suites, short } = values;
  const parsed = {
    viewers: (viewers ?? (short ? '10' : steps)).split(',').map(Number),
    repeats: Number(repeats ?? (short ? 1 : 3)),
    seconds: Number(seconds ?? (short ? 3 : 15)),
    peers: values.peer.map(peer),
    suites: suites?.split(','),
  };
  const rising = parsed.viewers.every((count, index) => count > (parsed.viewers[index - 1] ?? 0));
  const whole = [...parsed.viewers, parsed.repeats].every(Number.isInteger);
  if (
    !rising ||
    !whole ||
    !(parsed.repeats >= 1) ||
    !(parsed.seconds >= 1 && parsed.seconds <= LONGEST) ||
    parsed.viewers.some((count) => count > MOST_VIEWERS) ||
    (layers !== '1' && layers !== '3')
  )
    throw new Error(`wrong options: ${args.join(' ')}`);
  return { ...parsed, layers: layers === '1' ? 1 : 3 };
}

/** All steps with one server, each when it is measured. @throws Error when the publisher is refused, or fails. */
async function* measure(
  name: string,
  server: Server,
  repeat: number,
  { viewers, seconds, layers, suites }: FanoutOptions,
): AsyncGenerator<Measured> {
  let steps = 0;
  let [empty, before]: [ProcessFacts[], ProcessFacts[]] = [[], []];
  let begun = 0;
  const ended = new EndedViewers();
  const { whip, whep, token } = server;
  const run = load({ whip, whep, token, steps: viewers, duration: seconds, settle: SETTLE, layers, suites });
  for await (const event of run) {
    if (event.event === 'playable') empty = await processTree(server.pid);
    else if (event.event === 'ended') ended.add(event);
    else if (event.event === 'measuring') {
      begun = performance.now();
      before = await processTree(server.pid);
    } else if (event.event === 'measured') {
      const minutes = (performance.now() - begun) / 60_000;
      const after = await processTree(server.pid);
      const step = event.result;
      for (const line of ended.take()) process.stderr.write(`${line}\n`);
      const share = (step.viewers - step.silent) * minutes;
      const cpu = (kinds?: readonly Kind[]) => cpuBetween(before, after, kinds) / share;
      if (cpu() === 0) throw new Error(`process ${server.pid} did nothing all the time: is it the server’s?`);
      yield {
        server: name,
        repeat,
        viewers: viewers[steps] ?? step.viewers,
        cpu: cpu(),
        cpuByKind: {
          'media workers': cpu(['media workers']),
          nodes: cpu(['nodes']),
          gateway: cpu(['gateway']),
          rest: cpu(['rest']),
        },
        memory: (residentOf(after) - residentOf(empty)) / step.viewers,
        step,
      };
      steps += 1;
    }
  }
}

/** What an operator's instances do; all of a server that has no nodes. */
const nodesCpu = ({ cpu, cpuByKind }: Measured): number =>
  cpuByKind.nodes > 0 ? cpuByKind.nodes + cpuByKind['media workers'] : cpu;

function row(
  all: readonly Measured[],
  { server, base, viewers }: { server: string; base: string; viewers: number },
): BenchResult['rows'][number] {
  const own = all.filter((one) => one.server === server && one.viewers === viewers);
  const bases = all.filter((one) => one.server === base && one.viewers === viewers);
  // Each repeat's with the same repeat's.
  const ratios = (figure: (one: Measured) => number) =>
    own.flatMap((one) => {
      const floor = bases.find(({ repeat }) => repeat === one.repeat);
      return floor === undefined ? [] : [figure(one) / figure(floor)];
    });
  const middle = (values: readonly number[], digits: number) => median(values).toFixed(digits);
  const expected = own.reduce((sum, { step }) => sum + step.expected, 0);
  const lost = own.reduce((sum, { step }) => sum + step.lost, 0);
  const joins = (which: 'answerMs' | 'firstPacketMs', share: 'p50' | 'p95' | 'p99') =>
    middle(
      own.flatMap(({ step }) => {
        const times = step.joins[which];
        return times.count === 0 || !('p50' in times) ? [] : [times[share]];
      }),
      0,
    );
  const delays = (share: 'p50' | 'p99') => own.map(({ step }) => step.latencyMs[share]);
  const costs = own.map(({ cpu }) => cpu);
  const memory = own.map((one) => one.memory / 1000);
  return {
    viewers,
    server,
    'CPU s per viewer-minute': spread(costs, 3),
    [`by ${base}’s`]: spread(
      ratios(({ cpu }) => cpu),
      2,
    ),
    [`nodes’, by ${base}’s`]: spread(ratios(nodesCpu), 2),
    [`media workers’, by ${base}’s`]: spread(
      ratios(({ cpuByKind }) => cpuByKind['media workers']),
      2,
    ),
    'delay p50, p99 ms': `${middle(delays('p50'), 2)}, ${middle(delays('p99'), 1)}`,
    'longest silence ms': Math.max(...own.map(({ step }) => step.longestSilenceMs)).toFixed(0),
    'generator’s CPU % of a core': middle(
      own.map(({ step }) => 100 * step.ownCpu),
      0,
    ),
    'without media': own.reduce((sum, { step }) => sum + step.refused + step.failed + step.silent, 0),
    'lost %': ((100 * lost) / expected).toFixed(3),
    'POST → 201 p50, p99 ms': `${joins('answerMs', 'p50')}, ${joins('answerMs', 'p99')}`,
    'POST → first RTP p50, p95 ms': `${joins('firstPacketMs', 'p50')}, ${joins('firstPacketMs', 'p95')}`,
    'kB a viewer': middle(memory, 0),
  };
}
