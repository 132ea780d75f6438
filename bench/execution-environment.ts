// A function's execution environment as Lambda keeps it warm: modules, caches and connections of its own.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Answered, Sent } from '#test/unit/functions/events.ts';
import type { Invocation, Told } from './environment-thread.ts';

export interface FunctionAnswer {
  answer: Answered;
  /** Inside the function: neither API Gateway nor the way to this thread. */
  ms: number;
}

export class ExecutionEnvironment {
  /** How long the function's module took to load, ms. */
  readonly importMs: number;
  readonly #thread: Worker;
  readonly #waiting = new Map<number, (answered: FunctionAnswer) => void>();
  #calls = 0;

  private constructor(thread: Worker, importMs: number) {
    this.#thread = thread;
    this.importMs = importMs;
    thread.on('message', (told: Told) => {
      if (told.ready) return;
      this.#waiting.get(told.id)?.({ answer: told.answer, ms: told.ms });
      this.#waiting.delete(told.id);
    });
  }

  /** @param module the function's source or bundle, as a URL. @throws Error when it does not load. */
  static async start(module: URL, env: Record<string, string>): Promise<ExecutionEnvironment> {
    const thread = new Worker(new URL('environment-thread.ts', import.meta.url), {
      workerData: { module: module.href },
      env,
    });
    const [told]: Told[] = await once(thread, 'message', { signal: AbortSignal.timeout(30_000) });
    if (!told?.ready) throw new Error(`${module.href} did not start`);
    return new ExecutionEnvironment(thread, told.importMs);
  }

  async call(sent: Sent): Promise<FunctionAnswer> {
    this.#calls += 1;
    const { promise, resolve } = Promise.withResolvers<FunctionAnswer>();
    this.#waiting.set(this.#calls, resolve);
    const invocation: Invocation = { id: this.#calls, sent };
    this.#thread.postMessage(invocation);
    return promise;
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }
}
