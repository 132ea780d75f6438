// The load generator against the local world, and the benchmarks that use it, each for a few seconds: whether they work,
// not how fast anything is.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, describe, expect, test } from 'vitest';
import { prepare as churn } from '#bench/churn.ts';
import { prepare as fanout } from '#bench/fanout.ts';
import { type LoadEvent, load } from '#bench/load.ts';
import { LOAD_GENERATOR, loadGenerator } from '../../scripts/setup/load-generator.mjs';
import { eventually, newStream, regions, tree, whep, whip, world } from './support.ts';

// `npm test` has built it.
beforeAll(async () => {
  if (!loadGenerator.isReady()) await loadGenerator.make();
}, 300_000);

async function eventsOf(run: AsyncGenerator<LoadEvent>): Promise<LoadEvent[]> {
  const events: LoadEvent[] = [];
  for await (const event of run) events.push(event);
  return events;
}

const endpoints = (stream: string) => ({
  whip: whip(regions.us, stream),
  whep: whep(regions.us, stream),
  token: world.publishToken,
});

const viewersOf = async (stream: string) =>
  (await tree(stream))?.regions.flatMap(({ nodes }) => nodes.map(({ viewers }) => viewers)) ?? [];

describe('the load generator', () => {
  test('receives every packet, by the suite of browsers, and leaves no session behind', async () => {
    const stream = newStream('load');
    const events = await eventsOf(load({ ...endpoints(stream), steps: [2, 4], duration: 2, settle: 1 }));
    const steps = events.flatMap((event) => (event.event === 'measured' ? [event.result] : []));
    expect(steps.map(({ viewers }) => viewers)).toEqual([2, 4]);
    for (const step of steps) {
      expect(step).toMatchObject({ lost: 0, failed: 0, silent: 0, refused: 0, suites: 'AEAD_AES_256_GCM' });
      // 50 packets of sound and 30 pictures of two or more a second; half of it at the least on a busy machine.
      expect(step.received / step.viewers / step.seconds).toBeGreaterThan(55);
      // All but parameter sets carry a time.
      expect(step.latencyMs.count).toBeGreaterThan(step.received * 0.9);
      expect(step.joins.firstKeyFrameMs.count).toBe(2);
    }
    expect(
      await eventually(
        () => viewersOf(stream),
        (counts) => counts.every((count) => count === 0),
      ),
    ).toBeDefined();
    expect((await tree(stream))?.origin ?? null).toBeNull();
  });

  test('publishes three layers; each viewer has one', async () => {
    const stream = newStream('layers');
    const run = load({ ...endpoints(stream), steps: [1], duration: 2, settle: 1, layers: 3 });
    const events: LoadEvent[] = [];
    let layers = 0;
    for await (const event of run) {
      events.push(event);
      if (event.event !== 'measuring') continue;
      const nodes = (await tree(stream))?.regions.flatMap(({ nodes }) => nodes) ?? [];
      const origin = nodes.find(({ role }) => role === 'origin');
      layers = origin?.tracks.find(({ kind }) => kind === 'video')?.layers.length ?? 0;
    }
    expect(layers).toBe(3);
    expect(events.find(({ event }) => event === 'measured')).toMatchObject({
      result: { lost: 0, failed: 0 },
    });
  });

  test('offers the SRTP suites that it is told to', async () => {
    const stream = newStream('suites');
    const suites = ['AES_CM_128_HMAC_SHA1_80'];
    const events = await eventsOf(load({ ...endpoints(stream), steps: [1], duration: 1, settle: 0, suites }));
    expect(events.find(({ event }) => event === 'measured')).toMatchObject({
      result: { suites: 'AES_CM_128_HMAC_SHA1_80', lost: 0 },
    });
  });

  test('ends its sessions when whoever started it is gone', async () => {
    const stream = newStream('orphan');
    const { whip: publish, whep: play, token } = endpoints(stream);
    const args = ['--whip', publish, '--token', token, '--whep', play, '--steps', '2', '--duration', '600'];
    const program = spawn(LOAD_GENERATOR, args, { stdio: ['pipe', 'ignore', 'inherit'] });
    const exited = once(program, 'exit');
    await eventually(
      () => viewersOf(stream),
      (counts) => counts.reduce((sum, count) => sum + count, 0) === 2,
    );
    program.stdin.end();
    expect(await exited).toEqual([0, null]);
    expect((await viewersOf(stream)).every((count) => count === 0)).toBe(true);
  });

  test('says why the server refused it', async () => {
    const wrong = { ...endpoints(newStream('refused')), token: 'wrong' };
    await expect(eventsOf(load({ ...wrong, steps: [1], duration: 1 }))).rejects.toThrow(
      /the publisher was refused or failed: 401/,
    );
  });
});

describe('benchmarks', () => {
  test('fanout measures Meridian and the bare router', async () => {
    const { rows } = await fanout(['--short'])();
    expect(rows.map(({ server, viewers }) => [server, viewers])).toEqual([
      ['meridian', 10],
      ['meridian, one node', 10],
      ['bare', 10],
    ]);
    for (const row of rows) expect(row).toMatchObject({ 'lost %': '0.000', 'without media': 0 });
  });

  test('fanout refuses options that make no sense', () => {
    expect(() => fanout(['--viewers', '10,5'])).toThrow(/wrong options/);
  });

  test('churn joins and leaves beside viewers who lose nothing', async () => {
    const { rows } = await churn(['--short'])();
    expect(rows).toHaveLength(2);
    for (const row of rows)
      expect(row).toMatchObject({ refused: 0, 'steady: lost %': '0.000', 'steady: without media': 0 });
  });
});
