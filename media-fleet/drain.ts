// Emptying a node: nothing new comes, its roles go to others, and what is there stays until it leaves or time is up.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Streams } from './streams.ts';

/** Milliseconds between looks whether somebody is still here. */
const LOOK = 500;

export interface DrainOptions {
  streams: Pick<Streams, 'handOver' | 'isEmpty' | 'load'>;
  /** Milliseconds after which those who are still here must go. */
  deadline: number;
  /** Ends the wait: the node serves again, or must stop now. */
  signal: AbortSignal;
  log: Logger;
}

/** @returns whether the node was empty in time. */
export async function drain({ streams, deadline, signal, log }: DrainOptions): Promise<boolean> {
  if (deadline === 0 || signal.aborted) return streams.isEmpty;
  const until = performance.now() + deadline;
  log.info({ ...streams.load, deadline }, 'draining');
  streams.handOver();
  for (;;) {
    if (streams.isEmpty) {
      log.info('drained');
      return true;
    }
    const left = until - performance.now();
    if (signal.aborted) return false;
    if (left <= 0) {
      log.warn(streams.load, 'not empty, and the time is up');
      return false;
    }
    await sleep(Math.min(LOOK, left), undefined, { signal }).catch(() => undefined);
  }
}
