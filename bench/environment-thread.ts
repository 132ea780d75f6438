// The thread behind an ExecutionEnvironment: imports a function as Lambda would, and calls it for each request.

import { parentPort, workerData } from 'node:worker_threads';
import * as z from 'zod';
import { type Answered, call, type Handler, type Sent } from '#test/unit/functions/events.ts';

export interface Invocation {
  id: number;
  sent: Sent;
}

export type Told =
  | { ready: true; importMs: number }
  | { ready: false; id: number; answer: Answered; ms: number };

const { module } = z.object({ module: z.string() }).parse(workerData);
const tell = (told: Told) => parentPort?.postMessage(told);

const started = performance.now();
const loaded: unknown = await import(module);
const { handler } = z
  .object({ handler: z.custom<Handler>((value) => typeof value === 'function') })
  .parse({ ...Object(loaded) });

parentPort?.on('message', async ({ id, sent }: Invocation) => {
  const called = performance.now();
  const answer = await call(handler, sent);
  tell({ ready: false, id, answer, ms: performance.now() - called });
});
tell({ ready: true, importMs: performance.now() - started });
