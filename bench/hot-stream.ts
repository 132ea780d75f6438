// One stream that everybody wants: what its plays read, and how its region's tree of edges grows.

import { trees } from './edge-tree.ts';
import { lookUps } from './look-ups.ts';
import type { BenchResult } from './result.ts';

export const run = async (): Promise<BenchResult> => ({
  rows: [...(await lookUps()), ...(await trees())],
  notes: [
    'Reads: the stream’s partition in the stream map, and the region’s list of 100 nodes, as functions of so many separate execution environments make them. A play’s session itself is not opened.',
    'Tree: real streams, pulls and legs of so many edges on one worker, all asking at once; a request to a parent is a call in this process, and may take as long as it does: with production’s 3 s those that come last would be told to come again. 32 children a node, as nodes have by default.',
  ],
});
