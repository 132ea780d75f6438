// A viewer on a host of its own, with one address: on this machine's own libwebrtc would try its other addresses, too,
// from which no region can be reached, and lose 50 ms with each.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Host } from '#local/hosts.ts';
import type { Visit, Waited, Watch } from './watch.ts';
import type { ToldByWatcher } from './watcher-program.ts';

/** Milliseconds for a visit, and for the program to start. */
const WITHIN = 30_000;

export class Watcher {
  readonly #program: ChildProcess;

  private constructor(program: ChildProcess) {
    this.#program = program;
  }

  /** @throws Error when the program does not start. */
  static async start({ enter: [command = '', ...rest] }: Pick<Host, 'enter'>): Promise<Watcher> {
    const script = fileURLToPath(new URL('watcher-program.ts', import.meta.url));
    // The IPC channel is its lifeline.
    const program = spawn(command, [...rest, process.execPath, script], { stdio: ['ignore', 2, 2, 'ipc'] });
    const watcher = new Watcher(program);
    try {
      await watcher.#told();
    } catch (error) {
      await watcher.close();
      throw error;
    }
    return watcher;
  }

  /** One visit at a time. @throws Error when it is refused, or sees no picture. */
  readonly watch: Watch = async (visit: Visit): Promise<Waited> => {
    const told = this.#told();
    this.#program.send(visit);
    const { waited, error } = await told;
    if (waited === undefined) throw new Error(`a viewer on a host of its own: ${error}`);
    return waited;
  };

  async close(): Promise<void> {
    if (this.#program.exitCode !== null || this.#program.signalCode !== null) return;
    const exited = once(this.#program, 'exit');
    this.#program.kill('SIGKILL');
    await exited;
  }

  async #told(): Promise<ToldByWatcher> {
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(WITHIN)]);
    try {
      const [told]: ToldByWatcher[] = await Promise.race([
        once(this.#program, 'message', { signal }),
        once(this.#program, 'exit', { signal }).then(() => {
          throw new Error('the viewer on a host of its own ended; its message is above');
        }),
      ]);
      return told ?? {};
    } finally {
      over.abort();
    }
  }
}
