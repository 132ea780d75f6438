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

  static of({ appData: { layers } }: Producer): TrackLayers {
    return layers instanceof TrackLayers ? layers : new TrackLayers([]);
  }
}

/** How many layers of each sort mediasoup can choose among; 1 where there is no choice. */
export function layerCounts({ consumableRtpParameters: { encodings = [] } }: Producer): {
  spatial: number;
  temporal: number;
} {
  const { spatialLayers, temporalLayers } = parseScalabilityMode(encodings[0]?.scalabilityMode);
  return { spatial: encodings.length > 1 ? encodings.length : spatialLayers, temporal: temporalLayers };
}

/** Bits per second that each spatial layer takes now, lowest first; 0 for one that is not sent. */
export async function layerBitrates(track: Producer): Promise<number[]> {
  const stats = await track.getStats();
  const { encodings = [] } = track.rtpParameters;
  const { spatial, temporal } = layerCounts(track);
  // mediasoup counts layers only where there are several.
  if (spatial * temporal === 1) return [stats[0]?.bitrate ?? 0];
  if (encodings.length < 2) {
    // Layers of one RTP stream (SVC) are counted by `spatial.temporal`, the lower ones included.
    const byLayer = stats[0]?.bitrateByLayer ?? {};
    return Array.from({ length: spatial }, (_, layer) => byLayer[`${layer}.${temporal - 1}`] ?? 0);
  }
  return encodings.map(({ ssrc, rid }) => {
    const layer = stats.find((stat) => (rid === undefined ? stat.ssrc === ssrc : stat.rid === rid));
    return layer?.bitrate ?? 0;
  });
}
