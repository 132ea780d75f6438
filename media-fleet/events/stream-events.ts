// Looks at a stream for what its viewers want to hear, and tells those who have a data channel.

import type { DataConsumer, Producer, Router, WebRtcTransport } from 'mediasoup/types';
import type { Logger } from 'pino';
import { reportLayers } from '../layers/layer-report.ts';
import { layerBitrates, layerNames, TrackLayers } from '../layers/track-layers.ts';
import type { StreamWord } from '../pulse.ts';
import { EventChannels } from './event-channels.ts';
import { EventLog } from './event-log.ts';
import { messageOf, underMid } from './viewer-events.ts';

/** Milliseconds between two looks at the layers' bitrates. */
const LAYER_LOOKS = 1_000;

/** A stream as the looks find it. */
export interface StreamState extends StreamWord {
  /** The hub's video, where the stream has any and somebody wants to hear of its layers; asked once a second. */
  video: () => Producer | undefined;
}

export class StreamEvents {
  /** What there is to hear, for who asks. */
  readonly log = new EventLog();
  readonly #channels = new EventChannels();
  readonly #logger: Logger;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking = false;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.log.on('event', (event) => {
      if (event.event === 'layers') this.#channels.sendByMid((mid) => messageOf(underMid(event, mid)));
      else this.#channels.send(messageOf(event));
    });
  }

  /** A viewer's data channel. @param mid its section of video, where it has one. */
  openChannel(router: Router, transport: WebRtcTransport, mid: string | undefined): Promise<DataConsumer> {
    return this.#channels.open(router, transport, mid);
  }

  /** Called with every beat: cheap, but for the layers once a second. */
  look({ isLive, total, video }: StreamState): void {
    const now = performance.now();
    this.log.setLive(isLive, now);
    if (total !== undefined) this.log.setViewers(total, now);
    if (!isLive || this.#looking || now - this.#lookedAt < LAYER_LOOKS) return;
    this.#lookedAt = now;
    const track = video();
    if (track === undefined) return;
    this.#looking = true;
    this.#lookAtLayers(track)
      .catch((error: unknown) => {
        // A track that went meanwhile has no layers any more.
        if (!track.closed) this.#logger.warn({ err: error }, 'the layers were not looked at');
      })
      .finally(() => {
        this.#looking = false;
      });
  }

  async #lookAtLayers(video: Producer): Promise<void> {
    const bitrates = await layerBitrates(video);
    const { sizes } = TrackLayers.of(video);
    const report = reportLayers({ names: layerNames(video), bitrates, sizes });
    this.log.setLayers(report, performance.now());
  }
}
