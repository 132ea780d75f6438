// Emptying a node: roles go at once, and the wait ends with the last session, the deadline, or a word.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { drain } from '#media-fleet/drain.ts';
import { startClocks, stopClocks } from '#test/unit/routing/clock.ts';
import { silent } from './media.ts';

let isEmpty: boolean;
let viewers: Parameters<typeof drain>[0]['streams']['viewers'];
const [handOver, handOverUnneeded] = [vi.fn(), vi.fn()];
const begin = (deadline: number, signal = new AbortController().signal) =>
  drain({
    streams: {
      handOver,
      handOverUnneeded,
      get isEmpty() {
        return isEmpty;
      },
      load: { publishers: 0, viewers: 1, legs: 0 },
      viewers,
    },
    api: 'https://eu-west-1.live.example',
    deadline,
    signal,
    log: silent,
  });

beforeEach(() => {
  isEmpty = false;
  viewers = [];
  for (const mock of [handOver, handOverUnneeded]) mock.mockReset();
  stopClocks(1_790_000_000_000);
});
afterEach(startClocks);

it('an empty node is drained at once', async () => {
  isEmpty = true;
  expect(await begin(60_000)).toBe(true);
  expect(handOver).toHaveBeenCalledOnce();
});

it('waits for the last session to leave', async () => {
  let over = false;
  const drained = begin(60_000).finally(() => {
    over = true;
  });
  await vi.advanceTimersByTimeAsync(30_000);
  expect(over).toBe(false);
  expect(handOver).toHaveBeenCalledOnce();
  // Again and again: a role may be taken meanwhile.
  await vi.waitFor(() => expect(handOverUnneeded.mock.calls.length).toBeGreaterThan(1), { timeout: 3_000 });
  isEmpty = true;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await drained).toBe(true);
});

it('at its deadline those who are still here must go', async () => {
  const drained = begin(60_000);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await drained).toBe(false);
});

it('its viewers are told to go one after the other, in the first half of the time', async () => {
  const told: string[] = [];
  viewers = ['a', 'b', 'c', 'd'].map((name) => ({
    events: { reconnect: (api: string) => void told.push(`${name} ${api}`) },
  }));
  const drained = begin(80_000);
  // The looks themselves are half a second of the real clock apart.
  for (const [after, count] of [
    [5_000, 1],
    [20_000, 3],
    [20_000, 4],
  ] as const) {
    await vi.advanceTimersByTimeAsync(after);
    await vi.waitFor(() => expect(told).toHaveLength(count), { timeout: 3_000, interval: 20 });
  }
  expect(told[0]).toBe('a https://eu-west-1.live.example');
  expect(new Set(told).size).toBe(4);
  isEmpty = true;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await drained).toBe(true);
});

it('a word ends the wait', async () => {
  const now = new AbortController();
  const drained = begin(60_000, now.signal);
  await vi.advanceTimersByTimeAsync(1_000);
  now.abort();
  expect(await drained).toBe(false);
});

it('without a deadline nobody is waited for, and no role moves for nothing', async () => {
  expect(await begin(0)).toBe(false);
  expect(handOver).not.toHaveBeenCalled();
});
