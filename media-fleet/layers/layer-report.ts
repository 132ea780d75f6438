// The layers that a video track has and which of them come, as viewers hear of them.

import type { LayerReport } from '../events/event-log.ts';
import type { PictureSize } from './track-layers.ts';

/** A track as it was found. */
export interface ReportedTrack {
  /** The names of simulcast layers, lowest first; empty where it has none. */
  rids: readonly string[];
  /** Bits per second of each spatial layer, lowest first; 0 for one that is not sent. */
  bitrates: readonly number[];
  /** Of each spatial layer, how many temporal ones it has. */
  temporal: number;
  /** Whether the spatial layers are separate streams. */
  isSimulcast: boolean;
  /** By spatial layer, as far as they are known. */
  sizes: ReadonlyMap<number, PictureSize>;
}

export function reportLayers({ rids, bitrates, temporal, isSimulcast, sizes }: ReportedTrack): LayerReport {
  const report: LayerReport = { active: [], inactive: [], layers: [] };
  for (const [layer, bitrate] of bitrates.entries()) {
    const name = { id: rids[layer] ?? String(layer), simulcastIdx: layer };
    if (bitrate === 0) {
      report.inactive.push(name);
      continue;
    }
    report.active.push({ ...name, bitrate, ...sizes.get(layer) });
    for (let temporalLayerId = 0; temporalLayerId < temporal; temporalLayerId += 1) {
      // Layers of one stream have that stream's name.
      const encodingId = isSimulcast ? name.id : (rids[0] ?? '0');
      report.layers.push({ encodingId, spatialLayerId: layer, temporalLayerId });
    }
  }
  return report;
}
