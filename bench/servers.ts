// What benchmarks put load on: Meridian with one region, a bare mediasoup router, and servers that run already.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
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

export const OURS: ServerKind = { name: 'meridian', start: () => startProgram('one-region.ts') };
/** Meridian whose nodes have so many media workers. */
export const oursWithWorkers = (count: number): ServerKind => ({
  name: `meridian, ${count} ${count === 1 ? 'worker' : 'workers'} a node`,
  start: () => startProgram('one-region.ts', String(count)),
});
export const BARE: ServerKind = { name: 'bare', start: () => startProgram('bare.ts') };

/**
 * A server that runs already.
 * @param spec `name,whip,whep,pid`
 * @throws Error when it is not of that form.
 */
export function peer(spec: string): ServerKind {
  const [name = '', whip, whep, pid, ...more] = spec.split(',');
  const known = endpoints.extend({ pid: z.coerce.number().int().positive() }).safeParse({ whip, whep, pid });
  if (name === '' || !known.success || more.length > 0)
    throw new Error(
      `--peer ${spec}: name,whip,whep,pid, as other,http://127.0.0.1:8889/a/whip,http://127.0.0.1:8889/a/whep,1234`,
    );
  return { name, start: async () => ({ ...known.data, close: async () => undefined }) };
}

async function startProgram(file: string, ...args: string[]): Promise<Server> {
  const script = fileURLToPath(new URL(file, import.meta.url));
  // Its stdin is its lifeline: it ends when we do.
  const program = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
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
