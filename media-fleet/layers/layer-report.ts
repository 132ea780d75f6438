// The layers that a video track has and which of them come, as viewers hear of them.

import type { PictureSize } from './track-layers.ts';

/** A simulcast layer that comes. */
export interface ActiveLayer {
  /** Its rid, its number where it has none. */
  id: string;
  /** 0 is the smallest. */
  simulcastIdx: number;
  /** Bits per second. */
  bitrate: number;
  /** In pixels, where they are known. */
  width?: number;
  height?: number;
}

/** The layers of a stream's video, in the shape that Millicast's players know. */
export interface LayerReport {
  active: ActiveLayer[];
  /** Those that the publisher has announced and does not send. */
  inactive: Pick<ActiveLayer, 'id' | 'simulcastIdx'>[];
  /** What a player can ask for. */
  layers: { encodingId: string; spatialLayerId: number; temporalLayerId: number }[];
}

/** A track as it was found. */
export interface ReportedTrack {
  /** Of its layers, lowest first. */
  names: readonly string[];
  /** Bits per second of each layer, lowest first; 0 for one that is not sent. */
  bitrates: readonly number[];
  /** By layer, as far as they are known. */
  sizes: ReadonlyMap<number, PictureSize>;
}

export function reportLayers({ names, bitrates, sizes }: ReportedTrack): LayerReport {
  const report: LayerReport = { active: [], inactive: [], layers: [] };
  for (const [layer, id] of names.entries()) {
    const name = { id, simulcastIdx: layer };
    const bitrate = bitrates[layer] ?? 0;
    if (bitrate === 0) {
      report.inactive.push(name);
      continue;
    }
    report.active.push({ ...name, bitrate, ...sizes.get(layer) });
    report.layers.push({ encodingId: id, spatialLayerId: layer, temporalLayerId: 0 });
  }
  return report;
}
