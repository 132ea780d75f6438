// A video track's layers: how many, how they are called, how large their pictures are, and what each takes now.

import { parseScalabilityMode } from 'mediasoup';
import type { Producer } from 'mediasoup/types';

/** In pixels. */
export interface PictureSize {
  width: number;
  height: number;
}

/**
 * What mediasoup does not carry from router to router. It travels in a producer's `appData`, which a local pipe passes
 * on, so that a hub's track and its copies on outlets share one.
 */
export class TrackLayers {
  /** The rids of simulcast layers, lowest first; empty where the track has none. */
  readonly rids: readonly string[];
  /** By layer, as far as they were read. */
  readonly sizes = new Map<number, PictureSize>();

  constructor(rids: readonly string[]) {
    this.rids = rids;
  }

  /** The layer's rid, its number where it has none. */
  nameOf(layer: number): string {
    return this.rids[layer] ?? String(layer);
  }

  static of({ appData: { layers } }: Producer): TrackLayers {
    return layers instanceof TrackLayers ? layers : new TrackLayers([]);
  }
}

/**
 * A video's layers, lowest first, by the names under which viewers hear of them and ask for them. Those of a simulcast are
 * streams of their own; layers inside of one stream (SVC) no signaling of WHIP announces, and mediasoup passes it on whole.
 */
export function layerNames(track: Producer): string[] {
  const named = TrackLayers.of(track);
  return Array.from({ length: layerCount(track) }, (_, layer) => named.nameOf(layer));
}

/** How many layers mediasoup can choose among; 1 where there is no choice. */
export const layerCount = ({ consumableRtpParameters: { encodings = [] } }: Producer): number =>
  Math.max(1, encodings.length);

/** Into how many temporal layers each of them may be divided; 1 where mediasoup has no choice. */
export const temporalCount = ({ consumableRtpParameters: { encodings = [] } }: Producer): number =>
  encodings.length > 1 ? parseScalabilityMode(encodings[0]?.scalabilityMode).temporalLayers : 1;

/** Bits per second that each layer takes now, lowest first; 0 for one that is not sent. */
export async function layerBitrates(track: Producer): Promise<number[]> {
  const stats = await track.getStats();
  if (layerCount(track) === 1) return [stats[0]?.bitrate ?? 0];
  return (track.rtpParameters.encodings ?? []).map(({ ssrc, rid }) => {
    const layer = stats.find((stat) => (rid === undefined ? stat.ssrc === ssrc : stat.rid === rid));
    return layer?.bitrate ?? 0;
  });
}
