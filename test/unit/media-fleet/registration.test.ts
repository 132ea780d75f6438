// The node's item: written at the start, again and again whatever the registry does, and removed at the end.

import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { nodesTable, startDatabase } from '#local/database.ts';
import { Registration, type RegistrationOptions } from '#media-fleet/registration.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import type { NodeRegistry } from '#routing/node-registry.ts';
import { startClocks, stopClocks } from '#test/unit/routing/clock.ts';
import { nodeRecord } from '#test/unit/routing/samples.ts';

const INTERVAL = 1_000;
const START = 1_800_000_000_000;
const ownRecord = nodeRecord();
const throttled = () => Promise.reject(new Error('throttled'));
const beat = vi.fn<NodeRegistry['beat']>();
const remove = vi.fn<NodeRegistry['remove']>();
const record = vi.fn<RegistrationOptions['record']>();
const logged: string[] = [];

let options: RegistrationOptions;

beforeEach(() => {
  stopClocks(START);
  logged.length = 0;
  beat.mockReset().mockResolvedValue();
  remove.mockReset().mockResolvedValue();
  record.mockReset().mockReturnValue(ownRecord);
  const log = pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line).msg) });
  options = { registry: { beat, remove, list: async () => [] }, record, interval: INTERVAL, log };
});
afterEach(startClocks);

const beatTimes = () => beat.mock.calls.map(([{ heartbeatAt }]) => heartbeatAt);
/** So many more beats come, however irregularly. */
async function beats(count: number): Promise<void> {
  const target = beat.mock.calls.length + count;
  while (beat.mock.calls.length < target) await vi.advanceTimersToNextTimerAsync();
}

it('the first beat is tried again while the registry refuses it', async () => {
  beat.mockImplementationOnce(throttled).mockImplementationOnce(throttled);
  const starting = Registration.start(options);
  await vi.advanceTimersByTimeAsync(10_000);
  const registration = await starting;
  expect(beatTimes().slice(0, 3)).toEqual([START, START + 1_000, START + 3_000]);
  expect(beat.mock.calls.length).toBeGreaterThan(3);
  await registration.close();
});

it('a first beat that never gets through fails the start, and no other follows', async () => {
  beat.mockImplementation(throttled);
  const failed = expect(Registration.start(options)).rejects.toThrow('throttled');
  await vi.advanceTimersByTimeAsync(60_000);
  await failed;
  expect(beat).toHaveBeenCalledTimes(5);
});

it('beats on and on, about every interval and a little irregularly', async () => {
  const registration = await Registration.start(options);
  await vi.advanceTimersByTimeAsync(50 * INTERVAL);
  const times = beatTimes();
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  expect(gaps.length).toBeGreaterThanOrEqual(45);
  for (const gap of gaps) expect(Math.abs(gap - INTERVAL)).toBeLessThanOrEqual(INTERVAL / 10);
  expect(new Set(gaps).size).toBeGreaterThan(1);
  await registration.close();
});

it('every beat has the record as it is then, and what the one before took', async () => {
  let viewers = 0;
  record.mockImplementation(() => {
    viewers += 1;
    return { ...ownRecord, load: { ...ownRecord.load, viewers } };
  });
  beat.mockImplementation(async () => {
    vi.advanceTimersByTime(40 * viewers);
  });
  const registration = await Registration.start(options);
  await beats(2);
  expect(beat.mock.calls.map(([{ load, registryMs }]) => [load.viewers, registryMs])).toEqual([
    [1, 0],
    [2, 40],
    [3, 80],
  ]);
  await registration.close();
});

it('an outage is logged once, its end once, and the beats go on through both', async () => {
  const registration = await Registration.start(options);
  for (const _outage of [1, 2]) {
    logged.length = 0;
    beat.mockImplementation(throttled);
    await beats(5);
    expect(logged).toEqual(['the registry does not take the heartbeat']);
    beat.mockResolvedValue();
    await beats(5);
    expect(logged.slice(1)).toEqual(['the registry answers again']);
  }
  await registration.close();
});

it('a beat that is never answered is given up, and the next one comes', async () => {
  startClocks();
  const registration = await Registration.start({ ...options, interval: 10 });
  beat.mockImplementationOnce((_record, signal) => hanging(signal));
  await vi.waitFor(() => expect(logged).toHaveLength(2), { timeout: 5_000 });
  expect(logged).toEqual(['the registry does not take the heartbeat', 'the registry answers again']);
  await registration.close();
});

it('close ends the beat that is under way, then removes the item, and no beat follows', async () => {
  const happened: string[] = [];
  const registration = await Registration.start(options);
  beat.mockImplementation((_record, signal) => hanging(signal).finally(() => happened.push('beat ended')));
  remove.mockImplementation(async ({ nodeId, incarnation }) => {
    happened.push(`${nodeId} ${incarnation} removed`);
  });
  await beats(1);
  const closing = registration.close();
  expect(beat.mock.lastCall?.[1]?.aborted).toBe(true);
  await closing;
  expect(happened).toEqual(['beat ended', 'i-edge-1 edge-start-1 removed']);
  await vi.advanceTimersByTimeAsync(10 * INTERVAL);
  expect(beat).toHaveBeenCalledTimes(2);
  expect(logged).toEqual([]);
});

it('a real registry has the item while the node runs, newer each time, and not after', async () => {
  startClocks();
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const database = await startDatabase({ regions: ['eu-west-1'], credentials });
  const registry = new DynamoNodeRegistry(database.documents, nodesTable('eu-west-1'));
  const registration = await Registration.start({ ...options, registry, interval: 20 });
  const [first] = await registry.list();
  await vi.waitFor(async () => {
    const [latest] = await registry.list();
    expect(latest?.heartbeatAt).toBeGreaterThan(first?.heartbeatAt ?? Number.POSITIVE_INFINITY);
  });
  await registration.close();
  expect(await registry.list()).toEqual([]);
  await database.close();
});

/** Answers nothing until it is given up. */
function hanging(signal: AbortSignal | undefined): Promise<void> {
  const { promise, reject } = Promise.withResolvers<void>();
  signal?.addEventListener('abort', () => reject(signal.reason));
  return promise;
}
