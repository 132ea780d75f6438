// Looks once a second after a stream's viewers whose layer this node chooses: those without a bandwidth estimate, or with a limit.

import type { Producer, Router } from 'mediasoup/types';
import type { Logger } from 'pino';
import { lookEvery } from '../looks.ts';
import { hasReadableSizes, readPictureSizes } from './picture-sizes.ts';
import { layerBitrates, layerCount } from './track-layers.ts';
import type { ViewerLayers } from './viewer-layers.ts';

/** Between two looks, ms: libwebrtc reports on video once a second (its RTCP interval). */
const INTERVAL = 1_000;
/**
 * Before the sizes of a track's pictures are read again, ms: a publisher may resize its source at any time, but each reading
 * costs it a key frame, and so does what could not be read.
 */
const READ_AGAIN = 10_000;

export interface LayerWatchOptions {
  hub: () => Router;
  /** What feeds the stream now, on the hub. */
  tracks: () => readonly Producer[];
  /** Of every viewer of the stream. */
  viewers: () => readonly ViewerLayers[];
  log: Logger;
}

/**
 * One for a stream, whatever its viewers are: a look is one request to the worker for the track, and one for each such
 * viewer. The latter was measured with 250 consumers' `getStats` at once: 32 µs here and 7 µs in the worker, so that 250
 * viewers take 0.8% of this process's core.
 */
export class LayerWatch {
  readonly #options: LayerWatchOptions;
  readonly #stop: () => void;
  /** The track whose sizes were read last, and when by the process's clock, ms. */
  #read: { track: Producer; at: number } | undefined;

  constructor(options: LayerWatchOptions) {
    this.#options = options;
    this.#stop = lookEvery(
      INTERVAL,
      () => this.#look(),
      (error) => options.log.warn({ err: error }, 'the viewers of layers were not looked after'),
    );
  }

  close(): void {
    this.#stop();
  }

  async #look(): Promise<void> {
    const { tracks, viewers } = this.#options;
    const track = tracks().find((candidate) => !candidate.closed && layerCount(candidate) > 1);
    if (track === undefined) return;
    const followed = viewers().filter(({ isFollowed }) => isFollowed);
    if (followed.length === 0) return;
    const bitrates = await layerBitrates(track).catch((error: unknown) => {
      if (track.closed) return undefined;
      throw error;
    });
    if (bitrates === undefined) return;
    const at = performance.now();
    if (followed.some(({ limitsSize }) => limitsSize)) void this.#readSizes(track, bitrates, at);
    await Promise.all(followed.map((viewer) => viewer.look(bitrates, at)));
  }

  /** The sizes of the layers that are sent, again and again: a layer may come later, and a publisher's source be resized. */
  async #readSizes(track: Producer, bitrates: readonly number[], at: number): Promise<void> {
    const sent = bitrates.flatMap((bitrate, layer) => (bitrate > 0 ? [layer] : []));
    if (sent.length === 0 || !hasReadableSizes(track)) return;
    if (this.#read?.track === track && at - this.#read.at < READ_AGAIN) return;
    this.#read = { track, at };
    const { hub, viewers, log } = this.#options;
    try {
      await readPictureSizes(track, hub(), sent);
      await Promise.all(viewers().map((viewer) => viewer.apply()));
    } catch (error) {
      if (!track.closed) log.warn({ err: error }, 'the sizes of the pictures were not read');
    }
  }
}
