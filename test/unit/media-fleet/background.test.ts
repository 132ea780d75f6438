// Work that nobody waits for: done again while it fails, said once, waited for at the end.

import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Background } from '#media-fleet/background.ts';
import { startClocks, stopClocks } from '#test/unit/routing/clock.ts';

const logged: string[] = [];
const work = vi.fn<() => Promise<unknown>>();
const settled = vi.fn<() => void>();

let background: Background;

beforeEach(() => {
  stopClocks(1_790_000_000_000);
  logged.length = 0;
  work.mockReset().mockResolvedValue(true);
  settled.mockReset();
  background = new Background(
    pino({ level: 'info' }, { write: (line: string) => logged.push(JSON.parse(line)) }),
  );
});
afterEach(startClocks);

const away = () => Promise.reject(new Error('the map is away'));

it('work is begun at once, and done once where it succeeds', async () => {
  background.run('releasing', work);
  expect(work).toHaveBeenCalledTimes(1);
  await vi.runAllTimersAsync();
  expect(work).toHaveBeenCalledTimes(1);
  expect(logged).toEqual([]);
});

it('work that fails is done again, the later the more often it failed, until it succeeds', async () => {
  const started = Date.now();
  const times: number[] = [];
  work.mockImplementation(() => {
    times.push(Date.now() - started);
    return times.length < 4 ? away() : Promise.resolve();
  });
  background.run('releasing', work);
  await vi.runAllTimersAsync();
  expect(times).toEqual([0, 200, 600, 1_400]);
});

it('work that fails without a promise is done again too', async () => {
  work.mockImplementationOnce(() => {
    throw new Error('at once');
  });
  background.run('releasing', work);
  await vi.runAllTimersAsync();
  expect(work).toHaveBeenCalledTimes(2);
});

it('an outage of an hour is outlived, and said once, by the name of the work', async () => {
  const until = Date.now() + 3_600_000;
  work.mockImplementation(() => (Date.now() < until ? away() : Promise.resolve()));
  background.run('releasing the claim of concert', work).then(settled);
  await vi.advanceTimersByTimeAsync(3_600_000 + 10_000);
  expect(settled).toHaveBeenCalledTimes(1);
  expect(logged).toEqual([
    expect.objectContaining({
      msg: 'releasing the claim of concert failed; trying on',
      err: expect.objectContaining({ message: 'the map is away' }),
    }),
  ]);
});

it('settled waits for all that runs, what has failed so far included', async () => {
  const slow = Promise.withResolvers<void>();
  background.run('slow', () => slow.promise);
  work.mockImplementationOnce(away);
  background.run('failing', work);
  background.settled(60_000).then(settled);
  slow.resolve();
  await vi.advanceTimersByTimeAsync(199);
  expect(settled).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(settled).toHaveBeenCalledTimes(1);
  expect(vi.getTimerCount(), 'no deadline is left').toBe(0);
});

it('settled waits no longer than its deadline', async () => {
  const never = Promise.withResolvers<void>();
  background.run('hanging', () => never.promise);
  background.settled(3_000).then(settled);
  await vi.advanceTimersByTimeAsync(2_999);
  expect(settled).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(settled).toHaveBeenCalledTimes(1);
});

it('nothing is waited for that is over', async () => {
  background.run('done', work);
  await vi.runAllTimersAsync();
  await background.settled(60_000);
  expect(Date.now()).toBe(1_790_000_000_000);
});
