// Layers as viewers hear of them: a simulcast's, those of one stream, and a track that has none.

import { expect, it } from 'vitest';
import { reportLayers } from '#media-fleet/layers/layer-report.ts';

it('a simulcast’s layers have their rids, and those that do not come are inactive', () => {
  expect(
    reportLayers({
      rids: ['q', 'h', 'f'],
      bitrates: [100, 300, 0],
      temporal: 2,
      isSimulcast: true,
      sizes: new Map([[1, { width: 640, height: 360 }]]),
    }),
  ).toEqual({
    active: [
      { id: 'q', simulcastIdx: 0, bitrate: 100 },
      { id: 'h', simulcastIdx: 1, bitrate: 300, width: 640, height: 360 },
    ],
    inactive: [{ id: 'f', simulcastIdx: 2 }],
    layers: [
      { encodingId: 'q', spatialLayerId: 0, temporalLayerId: 0 },
      { encodingId: 'q', spatialLayerId: 0, temporalLayerId: 1 },
      { encodingId: 'h', spatialLayerId: 1, temporalLayerId: 0 },
      { encodingId: 'h', spatialLayerId: 1, temporalLayerId: 1 },
    ],
  });
});

it('layers of one stream are all that stream’s', () => {
  const { active, layers } = reportLayers({
    rids: [],
    bitrates: [100, 300],
    temporal: 1,
    isSimulcast: false,
    sizes: new Map(),
  });
  expect(active.map(({ id }) => id)).toEqual(['0', '1']);
  expect(layers).toEqual([
    { encodingId: '0', spatialLayerId: 0, temporalLayerId: 0 },
    { encodingId: '0', spatialLayerId: 1, temporalLayerId: 0 },
  ]);
});

it('a track without layers is one', () => {
  expect(
    reportLayers({ rids: [], bitrates: [500], temporal: 1, isSimulcast: false, sizes: new Map() }),
  ).toEqual({
    active: [{ id: '0', simulcastIdx: 0, bitrate: 500 }],
    inactive: [],
    layers: [{ encodingId: '0', spatialLayerId: 0, temporalLayerId: 0 }],
  });
});
