// The local world's child processes: started, waited for, told of when they end by themselves, and ended with the world.

import { type ChildProcess, spawn as spawnProcess } from 'node:child_process';
import { once } from 'node:events';

export interface ChildOptions {
  /** For errors: which child it is. */
  name: string;
  script: string;
  args: string[];
  env: Record<string, string>;
  /** The beginning of the command, where the child runs elsewhere than we: it must replace itself by what follows. */
  enter?: readonly string[];
  /** Start it again when it ends by itself, as systemd does on AWS. */
  restart: boolean;
  /** What it needs besides, each time that it has started. */
  equip?: (process: ChildProcess) => Promise<void>;
}

/** How long a child may take to end by itself, in ms; a stopped (SIGSTOP) one never would. */
const STOP_DEADLINE = 4_000;
/** Before it is started again, in ms (systemd's RestartSec is 100 ms; this leaves time to see that it was gone). */
const RESTART_DELAY = 1_000;

/**
 * A young generation of 2 MB a half-space instead of V8's 16: some 20 MB less for each process (`npm run bench -- idle`),
 * and none of them makes garbage fast enough to miss it.
 */
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=2'];

/** A child process, or one after another in its place. */
export class Child {
  readonly name: string;
  /** Resolves when the child is ready and equipped. @throws Error when it ends before. */
  readonly ready: Promise<void>;
  readonly #options: ChildOptions;
  #process: ChildProcess;
  #restart: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(options: ChildOptions) {
    this.#options = options;
    this.name = options.name;
    this.#process = spawn(options);
    this.ready = this.#begin();
    this.ready.catch(() => undefined);
    this.ready.then(() => this.#watch()).catch(() => undefined);
  }

  get process(): ChildProcess {
    return this.#process;
  }

  /** Asks the child to end, and ends it when it does not. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#process;
    if (hasEnded(child)) return;
    const exited = once(child, 'exit');
    // Not SIGTERM, by which a node drains.
    child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE);
    await exited;
    clearTimeout(timer);
  }

  async #begin(): Promise<void> {
    const child = this.#process;
    const over = new AbortController();
    const { signal } = over;
    try {
      await Promise.race([
        once(child, 'message', { signal }),
        once(child, 'exit', { signal }).then(() => {
          throw new Error(`${this.name} ended before it was ready (${endOf(child)}); its message is above`);
        }),
      ]);
    } finally {
      over.abort();
    }
    await this.#options.equip?.(child);
  }

  #watch(): void {
    const child = this.#process;
    const ended = () => {
      if (this.#stopping) return;
      const { restart } = this.#options;
      process.stderr.write(`${this.name} ended (${endOf(child)})${restart ? '; starting it again' : ''}\n`);
      if (restart) this.#restart = setTimeout(() => this.#again(), RESTART_DELAY);
    };
    if (hasEnded(child)) ended();
    else child.once('exit', ended);
  }

  #again(): void {
    this.#process = spawn(this.#options);
    this.#begin()
      .catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
      .finally(() => this.#watch());
  }
}

/**
 * With the world's own Node, in a process group of its own: Ctrl-C is for the world, which ends its children in order.
 * What it prints goes to our stderr; the IPC channel is its lifeline: it ends when the channel closes, however the
 * world ended.
 */
function spawn({ script, args, env, enter = [] }: ChildOptions): ChildProcess {
  const [command = process.execPath, ...rest] = [...enter, process.execPath, ...NODE_FLAGS, script, ...args];
  return spawnProcess(command, rest, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 2, 2, 'ipc'],
    detached: true,
  });
}

export const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null;

const endOf = ({ exitCode, signalCode }: ChildProcess): string => signalCode ?? `exit code ${exitCode}`;
