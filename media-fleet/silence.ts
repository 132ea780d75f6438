// When the other end of a leg counts as gone: no pulse for a while, and no bytes either.

import type { PipeTransport } from 'mediasoup/types';

export interface SilenceOptions {
  transport: PipeTransport;
  /** Milliseconds without a pulse after which the other end is gone, if no bytes came in their second half either. */
  after: number;
  /** Called once at most. */
  onSilent: () => void;
}

/**
 * The other end's process may only be busy while its worker goes on: as long as bytes arrive the leg is good.
 */
export class Silence {
  readonly #options: SilenceOptions;
  /** Fires when a pulse is overdue. */
  readonly #overdue: NodeJS.Timeout;
  #look: NodeJS.Timeout | undefined;
  /** Counts the pulses, so that a look knows whether one came while it waited for the bytes. */
  #pulses = 0;
  #over = false;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#overdue = setTimeout(() => void this.#doubt(undefined), options.after / 2);
  }

  /** A pulse has come. */
  heard(): void {
    if (this.#over) return;
    this.#pulses += 1;
    clearTimeout(this.#look);
    this.#overdue.refresh();
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#overdue);
    clearTimeout(this.#look);
  }

  /** Looks at the bytes, and again in half the time, for as long as no pulse comes. @param before those of the last look. */
  async #doubt(before: number | undefined): Promise<void> {
    const { transport, after, onSilent } = this.#options;
    const pulses = this.#pulses;
    const stats = await transport.getStats().catch(() => []);
    if (this.#over || this.#pulses !== pulses) return;
    const bytes = stats[0]?.bytesReceived ?? 0;
    if (bytes === before) {
      this.close();
      onSilent();
    } else {
      this.#look = setTimeout(() => void this.#doubt(bytes), after / 2);
    }
  }
}
