// What feeds a stream's hub, and what a leg must know of the hub at its end.

import type { Producer, Router } from 'mediasoup/types';
import type { StreamReport } from '#routing/node-messages.ts';
import { Problem } from '#routing/problem.ts';
import type { Pulse, StreamWord } from './pulse.ts';

/** This start of this node. */
export interface Self {
  region: string;
  nodeId: string;
  incarnation: string;
}

/** What feeds a stream's hub: a publisher connected here, or a leg from a parent. */
export interface Source {
  readonly tracks: readonly Producer[];
  /** When its media may be asked for, by the process's clock, ms: a key frame that is asked for sooner comes later. */
  readonly flowsAt: number;
  /** The nodes between the active origin and this one, origin first; empty on the origin. */
  readonly path: readonly string[];
  readonly origin: { region: string; nodeId: string; epoch: number };
  readonly role: StreamReport['role'];
  readonly parent: StreamReport['parent'];
  /** What the parent last said of the whole stream; where a publisher is connected here, whether it sends. */
  readonly word?: StreamWord | undefined;
  leg(): Promise<StreamReport['leg']>;
}

/** A stream's hub as its legs see it. */
export interface FedHub {
  readonly name: string;
  readonly self: Self;
  readonly hub: Router;
  readonly pulse: Pulse;
  readonly source: Source | undefined;
  /** Rises with every source. */
  readonly generation: number;
  readonly closed: boolean;
}

export const notLive = (stream: string): Problem =>
  new Problem(409, 'stream-not-live', `nobody is publishing ${stream} now; try again when it is live`, {
    'Retry-After': '2',
  });
