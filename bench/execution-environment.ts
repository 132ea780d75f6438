// A function's execution environment as Lambda keeps it warm: modules, caches and connections of its own.

import { EventEmitter, once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Answered, Sent } from '#test/unit/functions/events.ts';
import type { Invocation, Told } from './environment-thread.ts';

/** ms. */
const ANSWER_WITHIN = 30_000;

export interface FunctionAnswer {
  answer: Answered;
  /** Inside the function: neither API Gateway nor the way to this thread. */
  ms: number;
}

export class ExecutionEnvironment {
  /** How long the function's module took to load, ms. */
  readonly importMs: number;
  readonly #thread: Worker;
  /** Aborts when the thread has ended. */
  readonly #gone = new AbortController();
  readonly #answers = new EventEmitter();
  #calls = 0;

  private constructor(thread: Worker, importMs: number) {
    this.#thread = thread;
    this.importMs = importMs;
    thread.on('message', (told: Told) => {
      if (!told.ready) this.#answers.emit(String(told.id), { answer: told.answer, ms: told.ms });
    });
    thread.once('error', (error) => this.#gone.abort(error));
    thread.once('exit', () => this.#gone.abort(new Error('the function’s thread ended')));
  }

  /** @param module the function's source or bundle, as a URL. @throws Error when it does not load. */
  static async start(module: URL, env: Record<string, string>): Promise<ExecutionEnvironment> {
    const thread = new Worker(new URL('environment-thread.ts', import.meta.url), {
      workerData: { module: module.href },
      env,
    });
    const [told]: Told[] = await once(thread, 'message', { signal: AbortSignal.timeout(ANSWER_WITHIN) });
    if (!told?.ready) throw new Error(`${module.href} did not start`);
    return new ExecutionEnvironment(thread, told.importMs);
  }

  /** @throws Error when the thread ends, or does not answer in {@link ANSWER_WITHIN}. */
  async call(sent: Sent): Promise<FunctionAnswer> {
    this.#calls += 1;
    const invocation: Invocation = { id: this.#calls, sent };
    const signal = AbortSignal.any([this.#gone.signal, AbortSignal.timeout(ANSWER_WITHIN)]);
    const answered = once(this.#answers, String(invocation.id), { signal });
    this.#thread.postMessage(invocation);
    const [answer]: FunctionAnswer[] = await answered.catch(() => {
      throw signal.reason;
    });
    if (answer === undefined) throw new Error('the function’s thread answered nothing');
    return answer;
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }
}
