// Which layer of the video a viewer gets: the one that it asked for, else the highest that its link and its limits allow.

import type { Consumer, ConsumerLayers, ConsumerStat, Producer, RtpCapabilities } from 'mediasoup/types';
import type { LayerRequest } from '#routing/node-messages.ts';
import { Problem } from '#routing/problem.ts';
import { LayerChoice, type LinkReading } from './layer-choice.ts';
import { layerCount, layerNames, TrackLayers, temporalCount } from './track-layers.ts';

/** RFC 3550 section 6.4.1: the fraction lost is in 256ths. */
const FRACTION = 256;

const ESTIMATES = [
  ['http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01', 'transport-cc'],
  ['http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time', 'goog-remb'],
] as const;

/** Whether mediasoup has a bandwidth estimate of a video's receiver: by the extension and the feedback, as its Transport.cpp asks. */
export const givesEstimate = ({ codecs = [], headerExtensions = [] }: RtpCapabilities): boolean =>
  ESTIMATES.some(
    ([extension, feedback]) =>
      headerExtensions.some(({ kind, uri }) => kind === 'video' && uri === extension) &&
      codecs.some(({ rtcpFeedback = [] }) => rtcpFeedback.some(({ type }) => type === feedback)),
  );

/** What mediasoup has counted of what it sent to a viewer, and what the viewer's last report said. */
export type Counted = Pick<
  ConsumerStat,
  'packetCount' | 'nackPacketCount' | 'packetsLost' | 'fractionLost' | 'jitter' | 'roundTripTime'
>;

/** What was reported between two looks at the counters. */
export function reported(before: Counted, now: Counted): Pick<LinkReading, 'loss' | 'roundTrip'> {
  const packets = now.packetCount - before.packetCount;
  const nacked = now.nackPacketCount - before.nackPacketCount;
  // mediasoup does not say when a report came, but no two are alike: they differ in their jitter or round trip.
  const isNew = (['packetsLost', 'fractionLost', 'jitter', 'roundTripTime'] as const).some(
    (value) => now[value] !== before[value],
  );
  const { roundTripTime = 0 } = now;
  return {
    // What comes again at the viewer's NACK counts as received in its report: the NACKs say what was lost first.
    loss:
      packets > 0 && (isNew || nacked > 0)
        ? Math.min(1, Math.max(isNew ? now.fractionLost / FRACTION : 0, nacked / packets))
        : undefined,
    roundTrip: roundTripTime > 0 ? roundTripTime : undefined,
  };
}

interface Shown {
  track: Producer;
  consumer: Consumer;
  /** As mediasoup has one of the viewer it chooses by it itself, up to what is preferred; else it sends what is preferred. */
  hasEstimate: boolean;
  counted: Counted | undefined;
}

/** One viewer's video, whichever consumers come and go for it. */
export class ViewerLayers {
  readonly #choice = new LayerChoice();
  #request: LayerRequest;
  #shown: Shown | undefined;
  /** One after another: what a consumer prefers is known only when the worker has answered. */
  #applying: Promise<void> = Promise.resolve();

  constructor(request: LayerRequest = {}) {
    this.#request = request;
  }

  /** What a consumer of this track must prefer from its first packet on; undefined where there is nothing to choose. */
  preferred(track: Producer, hasEstimate: boolean): ConsumerLayers | undefined {
    const count = layerCount(track);
    if (count === 1) return undefined;
    const carried = hasEstimate ? count - 1 : this.#choice.layer;
    const highest = temporalCount(track) - 1;
    const { temporalLayerId = highest, maxTemporalLayerId = highest } = this.#request;
    return {
      spatialLayer: Math.min(this.#pinned(track) ?? carried, this.#limit(track)),
      temporalLayer: Math.min(temporalLayerId, maxTemporalLayerId, highest),
    };
  }

  /** The viewer is shown this now. It may have chosen anew since the consumer was asked for. */
  async attach(track: Producer, consumer: Consumer, hasEstimate: boolean): Promise<void> {
    this.#shown = { track, consumer, hasEstimate, counted: undefined };
    await this.apply();
  }

  /**
   * Chooses anew; what the request does not say is automatic again.
   * @param track what the viewer is or will be shown, where that is known.
   * @throws Problem 422 when it has not got the layer.
   */
  async choose(request: LayerRequest, track: Producer | undefined): Promise<void> {
    if (track) requireLayer(request, track);
    this.#request = request;
    await this.apply();
  }

  /** Whether it must be looked after: its reports decide, or it waits for the sizes of pictures. */
  get isFollowed(): boolean {
    return this.#followsReports || this.limitsSize;
  }

  get limitsSize(): boolean {
    return this.#request.maxHeight !== undefined || this.#request.maxWidth !== undefined;
  }

  /**
   * Looks at what the viewer reported, and changes its layer where that is called for.
   * @param bitrates of the track's layers, see {@link LinkReading}.
   * @param at ms, by a clock that never goes back.
   */
  async look(bitrates: readonly number[], at: number): Promise<void> {
    if (this.#followsReports) await this.#read(bitrates, at);
    await this.apply();
  }

  get #followsReports(): boolean {
    const shown = this.#shown;
    return (
      shown !== undefined &&
      !shown.consumer.closed &&
      !shown.hasEstimate &&
      this.#pinned(shown.track) === undefined
    );
  }

  /** One request to the worker. */
  async #read(bitrates: readonly number[], at: number): Promise<void> {
    const shown = this.#shown;
    if (shown === undefined) return;
    const { consumer, counted, track } = shown;
    const stats = await consumer.getStats().catch((error: unknown) => {
      if (consumer.closed) return [];
      throw error;
    });
    const sent = stats.find(({ type }) => type === 'outbound-rtp');
    if (sent === undefined || shown !== this.#shown) return;
    shown.counted = sent;
    if (counted === undefined) return;
    this.#choice.read({
      at,
      ...reported(counted, sent),
      // What it may not have it cannot climb to.
      bitrates: this.#waitsForSizes(track) ? bitrates : bitrates.slice(0, this.#limit(track) + 1),
    });
  }

  /** Prefers what is called for by then. */
  apply(): Promise<void> {
    const applied = this.#applying.then(() => this.#apply());
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  async #apply(): Promise<void> {
    if (this.#shown === undefined) return;
    const { track, consumer, hasEstimate } = this.#shown;
    const wanted = this.preferred(track, hasEstimate);
    if (wanted === undefined || consumer.closed) return;
    const present = consumer.preferredLayers;
    if (present?.spatialLayer === wanted.spatialLayer && present.temporalLayer === wanted.temporalLayer)
      return;
    await consumer.setPreferredLayers(wanted).catch((error: unknown) => {
      // The next consumer is made with what is preferred by then.
      if (!consumer.closed) throw error;
    });
  }

  /** The layer that was asked for, where the track has it. */
  #pinned(track: Producer): number | undefined {
    const { encodingId, rid = encodingId, spatialLayerId } = this.#request;
    const layer = rid === undefined ? spatialLayerId : layerNames(track).indexOf(rid);
    return layer !== undefined && layer >= 0 && layer < layerCount(track) ? layer : undefined;
  }

  #limit(track: Producer): number {
    const highest = layerCount(track) - 1;
    return Math.min(this.#request.maxSpatialLayerId ?? highest, this.#fitting(track));
  }

  /** Until then it is shown the lowest layer, and its link is not blamed for it. */
  #waitsForSizes(track: Producer): boolean {
    return this.limitsSize && TrackLayers.of(track).sizes.size === 0;
  }

  /** The highest layer whose pictures are known to be small enough; the lowest when none is. */
  #fitting(track: Producer): number {
    const highest = layerCount(track) - 1;
    if (!this.limitsSize) return highest;
    const { maxHeight = Number.POSITIVE_INFINITY, maxWidth = Number.POSITIVE_INFINITY } = this.#request;
    const fitting = [...TrackLayers.of(track).sizes]
      .filter(([, { width, height }]) => width <= maxWidth && height <= maxHeight)
      .map(([layer]) => layer);
    return Math.min(highest, Math.max(0, ...fitting));
  }
}

/** @throws Problem 422 that names the layers that there are. */
function requireLayer(
  { encodingId, rid = encodingId, spatialLayerId = 0, temporalLayerId = 0 }: LayerRequest,
  track: Producer,
): void {
  const names = layerNames(track);
  const refuse = (asked: string, has: string) =>
    new Problem(422, 'unknown-layer', `the stream's video has no ${asked}; it has ${has}`);
  if (rid !== undefined && !names.includes(rid)) throw refuse(`layer ${rid}`, names.join(', '));
  if (spatialLayerId >= names.length)
    throw refuse(`spatial layer ${spatialLayerId}`, `${names.length}, from 0 on`);
  const temporal = temporalCount(track);
  if (temporalLayerId >= temporal)
    throw refuse(`temporal layer ${temporalLayerId}`, `${temporal}, from 0 on`);
}
