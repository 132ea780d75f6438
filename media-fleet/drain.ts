// Emptying a node: nothing new comes, its roles go to others, and what is there stays until it leaves or time is up.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ViewerEvents } from './events/viewer-events.ts';
import type { Streams } from './streams.ts';

/** Milliseconds between looks whether somebody is still here. */
const LOOK = 500;

/** The part of the time in which the viewers are told, one after the other, so that they do not all come elsewhere at once. */
const TELLING = 0.5;

export interface DrainOptions {
  streams: Pick<Streams, 'handOver' | 'handOverUnneeded' | 'isEmpty' | 'load'> & {
    viewers: readonly { events: Pick<ViewerEvents, 'reconnect'> }[];
  };
  /** The region's own API: where its viewers are sent, for another node to take them. */
  api: string;
  /** Milliseconds after which those who are still here must go. */
  deadline: number;
  /** Ends the wait: the node serves again, or must stop now. */
  signal: AbortSignal;
  log: Logger;
}

/** @returns whether the node was empty in time. */
export async function drain({ streams, api, deadline, signal, log }: DrainOptions): Promise<boolean> {
  if (deadline === 0 || signal.aborted) return streams.isEmpty;
  const until = performance.now() + deadline;
  log.info({ ...streams.load, deadline }, 'draining');
  streams.handOver();
  const told = new Set<object>();
  for (;;) {
    streams.handOverUnneeded();
    if (streams.isEmpty) {
      log.info('drained');
      return true;
    }
    const left = until - performance.now();
    if (signal.aborted) return false;
    const untold = streams.viewers.filter((viewer) => !told.has(viewer));
    const share = Math.min(1, (deadline - left) / (deadline * TELLING));
    const due = Math.ceil(share * (told.size + untold.length)) - told.size;
    for (const viewer of untold.slice(0, Math.max(0, due))) {
      told.add(viewer);
      viewer.events.reconnect(api);
    }
    if (left <= 0) {
      log.warn(streams.load, 'not empty, and the time is up');
      return false;
    }
    await sleep(Math.min(LOOK, left), undefined, { signal }).catch(() => undefined);
  }
}
