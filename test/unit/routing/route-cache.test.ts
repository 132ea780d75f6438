// What a warm process remembers of the stream map and the node list: for a moment, and one read for all who ask.

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type NodeListStore, SMALL_REGION } from '#routing/node-list-store.ts';
import type { NodeRegistry } from '#routing/node-registry.ts';
import { RouteCache } from '#routing/route-cache.ts';
import type { StreamMap } from '#routing/stream-map.ts';
import { startClocks, stopClocks } from './clock.ts';
import { claimsOf, nodeRecord } from './samples.ts';

const read = vi.fn<StreamMap['read']>();
const list = vi.fn<NodeRegistry['list']>();
const unused = () => Promise.reject(new Error('a cache does not write'));
const streamMap: StreamMap = {
  read,
  claimOrigin: unused,
  claimRegion: unused,
  release: unused,
  setYields: unused,
  held: unused,
};
const readList = vi.fn<NodeListStore['read']>();
const nodeLists = { store: { read: readList }, maxAge: 3_000 };
const cache = (maxAge: number) => new RouteCache({ streamMap, nodeRegistry: { list }, nodeLists, maxAge });

beforeEach(() => {
  stopClocks(1_790_000_000_000);
  read.mockReset().mockImplementation(async (stream) => ({ ...claimsOf([]), stream }));
  list.mockReset().mockImplementation(async () => [nodeRecord()]);
  readList.mockReset();
});
afterEach(startClocks);

it('a million joiners of a stream are one read', async () => {
  const routes = cache(500);
  const all = await Promise.all(Array.from({ length: 1_000 }, () => routes.claims('concert')));
  expect(new Set(all).size).toBe(1);
  await routes.claims('concert');
  expect(read).toHaveBeenCalledTimes(1);
});

it('reads again when what it knows is too old', async () => {
  const routes = cache(500);
  await routes.claims('concert');
  await routes.nodes();
  vi.advanceTimersByTime(499);
  await routes.claims('concert');
  await routes.nodes();
  expect([read, list].map(({ mock }) => mock.calls.length)).toEqual([1, 1]);
  vi.advanceTimersByTime(2);
  await routes.claims('concert');
  await routes.nodes();
  expect([read, list].map(({ mock }) => mock.calls.length)).toEqual([2, 2]);
});

it('with no age it asks every time, but once for those who ask at once', async () => {
  const routes = cache(0);
  await Promise.all([routes.claims('concert'), routes.claims('concert')]);
  expect(read).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(2);
  await routes.claims('concert');
  expect(read).toHaveBeenCalledTimes(2);
});

it('streams are remembered apart, and read anew one by one', async () => {
  const routes = cache(500);
  await routes.claims('a');
  await routes.claims('b');
  expect((await routes.claims('a', { fresh: true })).stream).toBe('a');
  expect((await routes.claims('b')).stream).toBe('b');
  expect(read.mock.calls.map(([stream]) => stream)).toEqual(['a', 'b', 'a']);
});

it('a failed read reaches all who waited, and is not remembered', async () => {
  const routes = cache(500);
  read.mockRejectedValueOnce(new Error('throttled'));
  const both = await Promise.allSettled([routes.claims('concert'), routes.claims('concert')]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await routes.claims('concert')).toMatchObject({ stream: 'concert' });
});

it('a failed read of what had grown old is an error, not the old answer', async () => {
  const routes = cache(500);
  await routes.nodes();
  vi.advanceTimersByTime(501);
  list.mockRejectedValueOnce(new Error('throttled'));
  await expect(routes.nodes()).rejects.toThrow('throttled');
});

it('a small region’s nodes are read one by one, without a look for a list', async () => {
  const routes = cache(0);
  for (let count = 0; count < 3; count += 1) {
    await routes.nodes();
    vi.advanceTimersByTime(2);
  }
  expect(list).toHaveBeenCalledTimes(3);
  expect(readList).not.toHaveBeenCalled();
});

const many = Array.from({ length: SMALL_REGION + 1 }, (_, index) => nodeRecord({ nodeId: `i-${index}` }));

it('a large region’s nodes are read from its list, until that is too old', async () => {
  list.mockImplementation(async () => many);
  const routes = cache(0);
  const first = await routes.nodes();
  const written = { at: Date.now(), nodes: many.slice(1) };
  readList.mockImplementation(async () => written);
  vi.advanceTimersByTime(2_997);
  expect(await routes.nodes()).toBe(written);
  vi.advanceTimersByTime(3);
  expect(await routes.nodes()).toEqual({ at: first.at + 3_000, nodes: many });
  expect(list).toHaveBeenCalledTimes(2);
});

it('where nobody has written the list they are read one by one', async () => {
  list.mockImplementation(async () => many);
  const routes = cache(0);
  await routes.nodes();
  vi.advanceTimersByTime(2);
  expect(await routes.nodes()).toMatchObject({ nodes: many });
  expect(readList).toHaveBeenCalledOnce();
});

it('who must know of a node that has just come reads past the list, and what is remembered of it', async () => {
  list.mockImplementation(async () => many);
  const routes = cache(500);
  await routes.nodes();
  readList.mockImplementation(async () => ({ at: Date.now(), nodes: [] }));
  vi.advanceTimersByTime(501);
  expect(await routes.nodes()).toMatchObject({ nodes: [] });
  expect(await routes.nodes({ exact: true })).toMatchObject({ nodes: many });
});

it('an exact read does not take the answer of a list that is being read', async () => {
  list.mockImplementation(async () => many);
  const routes = cache(500);
  await routes.nodes();
  vi.advanceTimersByTime(501);
  const reading = Promise.withResolvers<{ at: number; nodes: typeof many }>();
  readList.mockReturnValueOnce(reading.promise);
  const byList = routes.nodes();
  const exact = routes.nodes({ exact: true });
  reading.resolve({ at: Date.now(), nodes: [] });
  expect(await byList).toMatchObject({ nodes: [] });
  expect(await exact).toMatchObject({ nodes: many });
});

it('a list from the future is of a wrong clock, and not used', async () => {
  list.mockImplementation(async () => many);
  const routes = cache(0);
  await routes.nodes();
  readList.mockImplementation(async () => ({ at: Date.now() + 3_600_000, nodes: [] }));
  vi.advanceTimersByTime(2);
  expect(await routes.nodes()).toMatchObject({ nodes: many });
});
