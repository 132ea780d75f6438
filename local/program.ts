// What programs that run a local world for a while have in common: when to stop, and what machine they ran on.

import { cpus, loadavg } from 'node:os';

/** How often npm is looked for that started us, in ms: it may have been killed without a word. */
const PARENT_CHECK = 1_000;

/** Calls `stop` on a signal, or when npm, which started us, is gone; it may be called more than once. */
export function onStop(stop: () => void): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop);
  if (process.env.npm_lifecycle_event !== undefined) {
    const parent = process.ppid;
    setInterval(() => process.ppid === parent || stop(), PARENT_CHECK).unref();
  }
}

/** Aborts when it is time to stop, see {@link onStop}. */
export function stopSignal(): AbortSignal {
  const stopped = new AbortController();
  onStop(() => stopped.abort(new Error('stopped')));
  return stopped.signal;
}

/** For people: its cores, Node's version, and the load before the program added its own. */
export function thisMachine(): string {
  const [load = 0] = loadavg();
  const cores = cpus();
  return `${cores.length} × ${cores[0]?.model.trim() ?? 'unknown'}, Node ${process.version}, load ${load.toFixed(2)} at the start`;
}

/** What to say of an error that ends a program: that it was told to stop is none. */
export function why(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'AbortError' ? 'stopped' : error.message;
}
