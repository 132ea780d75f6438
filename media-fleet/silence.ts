// When the other end of a leg counts as gone: no pulse for a while, and no bytes either.

import type { PipeTransport } from 'mediasoup/types';

export interface SilenceOptions {
  transport: PipeTransport;
  /** Milliseconds without a pulse after which the other end is doubted. */
  after: number;
  /** Milliseconds between looks at the bytes while it is. */
  recheck: number;
  /** Called once at most. */
  onSilent: () => void;
}

/**
 * The other end's process may only be busy while its worker goes on: as long as bytes arrive the leg is good.
 */
export class Silence {
  readonly #options: SilenceOptions;
  readonly #timer: NodeJS.Timeout;
  #recheck: NodeJS.Timeout | undefined;
  #heardAt = performance.now();
  #over = false;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#timer = setTimeout(() => void this.#doubt(0), options.after);
  }

  /** A pulse has come. */
  heard(): void {
    if (this.#over) return;
    this.#heardAt = performance.now();
    this.#timer.refresh();
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#recheck);
  }

  async #doubt(bytesBefore: number): Promise<void> {
    const { transport, after, recheck, onSilent } = this.#options;
    const stats = await transport.getStats().catch(() => []);
    if (this.#over || performance.now() - this.#heardAt < after) return;
    const bytes = stats[0]?.bytesReceived ?? 0;
    if (bytes === bytesBefore) {
      this.close();
      onSilent();
      return;
    }
    clearTimeout(this.#recheck);
    this.#recheck = setTimeout(() => void this.#doubt(bytes), recheck);
  }
}
