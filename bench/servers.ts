// What benchmarks put load on: Meridian with one region, a bare mediasoup router, and servers that run already.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';

const endpoints = z.object({ whip: z.url(), whep: z.url(), token: z.string().optional() });

/** A WHIP and WHEP server, and the process whose tree does its work. */
export interface Server extends z.infer<typeof endpoints> {
  pid: number;
  /** Ends it, where we started it. */
  close(): Promise<void>;
}

export interface ServerKind {
  name: string;
  start(): Promise<Server>;
}

/** Milliseconds for a server to say where it is, and to end. */
const START_WITHIN = 60_000;
const STOP_WITHIN = 10_000;
/** And for one that runs already to answer. */
const ANSWER_WITHIN = 5_000;

export interface OurOptions {
  /** 1: publisher and viewers on one node, as on a single server; 2: an origin and an edge, with a leg between them. */
  nodes: 1 | 2;
  /** Media workers of a node. */
  workers: number;
  /** Whether its processes' heaps are to be looked at (bench/heap.ts). */
  inspected?: boolean;
}

/** Meridian with one region. */
export const ours = (name: string, { nodes, workers, inspected = false }: OurOptions): ServerKind => ({
  name,
  start: () =>
    startProgram(
      'one-region.ts',
      ...['--nodes', String(nodes), '--workers', String(workers)],
      ...(inspected ? ['--inspected'] : []),
    ),
});
export const OURS = ours('meridian', { nodes: 2, workers: 1 });
export const OURS_ON_ONE_NODE = ours('meridian, one node', { nodes: 1, workers: 1 });
export const BARE: ServerKind = { name: 'bare', start: () => startProgram('bare.ts') };

/** Rows are told apart by name. */
const RESERVED = [OURS, OURS_ON_ONE_NODE, BARE].map(({ name }) => name);

/**
 * A server that runs already.
 * @param spec `name,whip,whep,pid`
 * @throws Error when it is not of that form, or names no process.
 */
export function peer(spec: string): ServerKind {
  const [name = '', whip, whep, pid, ...more] = spec.split(',');
  const known = endpoints.extend({ pid: z.coerce.number().int().positive() }).safeParse({ whip, whep, pid });
  if (name === '' || !known.success || more.length > 0)
    throw new Error(
      `--peer ${spec}: name,whip,whep,pid, as other,http://127.0.0.1:8889/a/whip,http://127.0.0.1:8889/a/whep,1234`,
    );
  if (RESERVED.includes(name)) throw new Error(`--peer ${spec}: ${name} is what a server of ours is called`);
  const { pid: root } = known.data;
  if (!existsSync(`/proc/${root}`)) throw new Error(`--peer ${spec}: there is no process ${root}`);
  return {
    name,
    start: async () => {
      await fetch(known.data.whep, { method: 'OPTIONS', signal: AbortSignal.timeout(ANSWER_WITHIN) }).catch(
        (error: unknown) => {
          throw new Error(`${name} does not answer at ${known.data.whep.split('?')[0]}`, { cause: error });
        },
      );
      return { ...known.data, close: async () => undefined };
    },
  };
}

async function startProgram(file: string, ...args: string[]): Promise<Server> {
  const script = fileURLToPath(new URL(file, import.meta.url));
  // Its stdin is its lifeline: it ends when we do.
  const program = spawn(process.execPath, [script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // A region without edges serves all the same, and says every second that it is not whole.
    env: { ...process.env, POWERTOOLS_LOG_LEVEL: 'ERROR' },
  });
  const exited = once(program, 'exit');
  const close = async () => {
    program.stdin.end();
    const timer = setTimeout(() => program.kill('SIGKILL'), STOP_WITHIN);
    await exited;
    clearTimeout(timer);
  };
  try {
    const line = await firstLine(program, script);
    return { ...endpoints.parse(JSON.parse(line)), pid: program.pid ?? 0, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function firstLine({ stdout, exitCode }: ChildProcess, script: string): Promise<string> {
  if (stdout === null || exitCode !== null) throw new Error(`${script} did not start`);
  const lines = createInterface({ input: stdout });
  const over = AbortSignal.timeout(START_WITHIN);
  const [line] = await Promise.race([
    once(lines, 'line', { signal: over }),
    once(lines, 'close').then(() => {
      throw new Error(`${script} ended before it was ready; its message is above`);
    }),
  ]);
  return String(line);
}
