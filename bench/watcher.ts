// A viewer on a host of its own, with one address: on this machine's own libwebrtc would try its other addresses, too,
// from which no region can be reached, and lose 50 ms with each.

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Child } from '#local/children.ts';
import type { Host } from '#local/hosts.ts';
import type { Visit, Waited, Watch } from './watch.ts';
import type { ToldByWatcher } from './watcher-program.ts';

/** Milliseconds for a visit. */
const WITHIN = 30_000;

export class Watcher {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  /** @throws Error when the program does not start. */
  static async start({ enter }: Pick<Host, 'enter'>): Promise<Watcher> {
    const script = fileURLToPath(new URL('watcher-program.ts', import.meta.url));
    const child = new Child({
      name: 'a viewer on a host of its own',
      script,
      args: [],
      env: {},
      enter,
      restart: false,
    });
    await child.ready;
    return new Watcher(child);
  }

  /** One visit at a time. @throws Error when it is refused, or sees no picture. */
  readonly watch: Watch = async (visit: Visit): Promise<Waited> => {
    const { name, process: program } = this.#child;
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, AbortSignal.timeout(WITHIN)]);
    try {
      const message: Promise<ToldByWatcher[]> = once(program, 'message', { signal });
      const ended = once(program, 'exit', { signal }).then(([code, by]) => {
        throw new Error(`${name} ended with ${code ?? by}`);
      });
      program.send(visit);
      const [told] = await Promise.race([message, ended]);
      if (told?.waited === undefined) throw new Error(`${name}: ${told?.error}`);
      return told.waited;
    } finally {
      over.abort();
    }
  };

  close(): Promise<void> {
    return this.#child.stop();
  }
}
