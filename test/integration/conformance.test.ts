// The conformance suite against the local world: every row that binds a server is met.

import { expect, test } from 'vitest';
import { floodRows } from '#conformance/rows/flood.ts';
import { ROWS, runConformance } from '#conformance/run.ts';
import { newStream, regions, whep, whip, world } from './support.ts';

test('WHIP and WHEP, row by row', async () => {
  const stream = newStream('conformance');
  const target = {
    whip: whip(regions.us, stream),
    whep: whep(regions.us, stream),
    token: world.publishToken,
  };
  const verdicts = await runConformance(target, () => undefined);
  expect(verdicts).toHaveLength(ROWS.length);
  // This world has no rate limits; flood.test.ts has one that has.
  const failed = verdicts.filter(({ row, result }) => result !== 'PASS' && !floodRows.includes(row));
  expect(failed.map(({ row, result, why }) => `${row.id} ${result}: ${why}`)).toEqual([]);
});
