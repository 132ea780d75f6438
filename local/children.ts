// The local world's child processes: started, waited for until they are ready, and ended with the world.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export interface ChildOptions {
  /** For errors: which child it is. */
  name: string;
  script: string;
  args: string[];
  env: Record<string, string>;
}

export interface Child {
  readonly name: string;
  readonly process: ChildProcess;
  /** Resolves when the child has said that it is ready. @throws Error when it ends before. */
  readonly ready: Promise<void>;
  /** Asks the child to end, and ends it when it does not. Idempotent. */
  stop(): Promise<void>;
}

/** How long a child may take to end by itself, in ms; a stopped (SIGSTOP) one never would. */
const STOP_DEADLINE = 4_000;

/**
 * Starts a child with the world's own Node. What it prints goes to our stderr; the IPC channel is its lifeline: it
 * ends when the channel closes, however the world ended.
 */
export function startChild({ name, script, args, env }: ChildOptions): Child {
  const child = fork(script, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 2, 2, 'ipc'],
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const exited = once(child, 'exit');
  const ready = Promise.race([
    once(child, 'message').then(() => undefined),
    exited.then(([code, signal]) => {
      throw new Error(
        `${name} ended before it was ready (${signal ?? `exit code ${code}`}); its message is above`,
      );
    }),
  ]);
  ready.catch(() => undefined);
  return {
    name,
    process: child,
    ready,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE);
      await exited;
      clearTimeout(timer);
    },
  };
}
