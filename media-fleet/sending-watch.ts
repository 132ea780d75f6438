// Whether a connected publisher sends anything, for those who watch it: it may pause for as long as it likes.

import type { Producer } from 'mediasoup/types';
import type { Logger } from 'pino';
import { FlowMeter } from './flow-meter.ts';
import { lookEvery } from './looks.ts';

/**
 * Between two looks, ms: longer than any pause of a client that sends. Opus sends a packet in 400 ms where nothing is heard (RFC
 * 6716 section 2.1.9), libwebrtc a still screen once a second, and sound beside it.
 */
const INTERVAL = 1_000;

/** A look is one request to the worker for each track. */
export class SendingWatch {
  readonly #flow: FlowMeter;
  readonly #log: Logger;
  #stop: (() => void) | undefined;
  #isSending = true;

  constructor(tracks: readonly Producer[], log: Logger) {
    this.#flow = new FlowMeter(tracks, INTERVAL);
    this.#log = log;
  }

  /** Whether a packet came between the last two looks; true before there were two. */
  get isSending(): boolean {
    return this.#isSending;
  }

  start(): void {
    this.#stop ??= lookEvery(
      INTERVAL,
      () => this.#look(),
      // A track that closed meanwhile went with its session, which closes this.
      (error) => this.#log.debug({ err: error }, 'whether the publisher sends was not looked at'),
    );
  }

  close(): void {
    this.#stop?.();
  }

  async #look(): Promise<void> {
    const { silentFor } = await this.#flow.measure();
    this.#isSending = silentFor === 0;
  }
}
