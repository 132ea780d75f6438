// How a publisher's media comes in: since when it is silent, and for how long it has been steady.

import type { Producer } from 'mediasoup/types';
import type { Flow } from '#routing/origin-standing.ts';

export class FlowMeter {
  readonly #tracks: readonly Producer[];
  /** Milliseconds without a packet that are a silence. */
  readonly #silence: number;
  #packets = -1;
  #lastPacketAt = performance.now();
  /** Not since it was made: a publisher may take long to connect. */
  #steadySince: number | undefined;
  #wasSilent = false;

  constructor(tracks: readonly Producer[], silence: number) {
    this.#tracks = tracks;
    this.#silence = silence;
  }

  /** Looks at the packets of all tracks. A silence that no look found is not held against the publisher. */
  async measure(): Promise<Flow> {
    const stats = await Promise.all(this.#tracks.map((track) => (track.closed ? [] : track.getStats())));
    const packets = stats.flat().reduce((sum, { packetCount }) => sum + packetCount, 0);
    const now = performance.now();
    this.#steadySince ??= now;
    if (packets === this.#packets) {
      this.#wasSilent ||= now - this.#lastPacketAt >= this.#silence;
    } else {
      if (this.#wasSilent) this.#steadySince = now;
      this.#wasSilent = false;
      this.#packets = packets;
      this.#lastPacketAt = now;
    }
    return { silentFor: now - this.#lastPacketAt, steadyFor: now - this.#steadySince };
  }
}
