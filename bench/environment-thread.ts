// The thread behind an ExecutionEnvironment: imports a function as Lambda would, and calls it for each event.

import { parentPort, workerData } from 'node:worker_threads';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import type { HttpAnswer, HttpEvent } from '#functions/http/endpoint.ts';

export interface Invocation {
  id: number;
  event: HttpEvent;
  context: Omit<Context, 'getRemainingTimeInMillis' | 'done' | 'fail' | 'succeed'>;
}

export type Told =
  | { ready: true; importMs: number }
  | { ready: false; id: number; answer: HttpAnswer; ms: number };

const { module } = z.object({ module: z.string() }).parse(workerData);
const notUsed = () => {
  throw new Error('callbacks are not supported by Node.js 24 functions');
};

const started = performance.now();
const loaded: unknown = await import(module);
const tell = (told: Told) => parentPort?.postMessage(told);
const { handler } = z
  .object({
    handler: z.custom<(event: HttpEvent, context: Context) => Promise<HttpAnswer>>(
      (value) => typeof value === 'function',
    ),
  })
  .parse({ ...Object(loaded) });

parentPort?.on('message', async ({ id, event, context }: Invocation) => {
  const called = performance.now();
  const answer = await handler(event, {
    ...context,
    getRemainingTimeInMillis: () => 29_000,
    done: notUsed,
    fail: notUsed,
    succeed: notUsed,
  });
  tell({ ready: false, id, answer, ms: performance.now() - called });
});
tell({ ready: true, importMs: performance.now() - started });
