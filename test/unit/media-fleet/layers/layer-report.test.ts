// Layers as viewers hear of them: a simulcast's, and a track that has none.

import { expect, it } from 'vitest';
import { reportLayers } from '#media-fleet/layers/layer-report.ts';

it('a simulcast’s layers have their names, and those that do not come are inactive', () => {
  expect(
    reportLayers({
      names: ['q', 'h', 'f'],
      bitrates: [100, 300, 0],
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
      { encodingId: 'h', spatialLayerId: 1, temporalLayerId: 0 },
    ],
  });
});

it('a track without layers is one', () => {
  expect(reportLayers({ names: ['0'], bitrates: [500], sizes: new Map() })).toEqual({
    active: [{ id: '0', simulcastIdx: 0, bitrate: 500 }],
    inactive: [],
    layers: [{ encodingId: '0', spatialLayerId: 0, temporalLayerId: 0 }],
  });
});
