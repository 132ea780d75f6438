// How often a stream beats: often for its children, seldom for its parent, and soon when there is news.

import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import type { Stream } from '#media-fleet/stream.ts';
import type { Viewer } from '#media-fleet/viewer.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { feedByLeg, feedByPublisher, openStream, selfOf, timing } from './legs.ts';
import { startWorkers } from './media.ts';
import { plainOffer } from './sdp/offers.ts';

let workers: Workers;
let origin: Stream;
let edge: Stream;
beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  origin = await openStream(workers, { self: selfOf('i-origin') });
  edge = await openStream(workers, { self: selfOf('i-edge') });
  await feedByPublisher(workers, origin);
  await feedByLeg(workers, { parent: origin, child: edge });
  // Until nothing of it is news any more.
  vi.advanceTimersByTime(2 * timing.legPulse);
});
afterEach(() => {
  for (const stream of [edge, origin]) stream.close('node-closing');
  vi.useRealTimers();
});

const offer = readOffer(plainOffer([/sendonly/g, 'recvonly']));

async function newViewer(): Promise<Viewer> {
  return (await edge.addViewer(offer)).viewer;
}

/** As its DTLS would. */
const connect = ({ transport }: Viewer) => transport.emit('dtlsstatechange', 'connected');

it('a node with a child beats ten times a second, one without six times in what its parent gives it', () => {
  const [down, up] = [vi.spyOn(origin.pulse, 'send'), vi.spyOn(edge.pulse, 'send')];
  vi.advanceTimersByTime(timing.nodeDeadAfter);
  expect(down).toHaveBeenCalledTimes(timing.nodeDeadAfter / timing.legPulse);
  expect(up).toHaveBeenCalledTimes(6);
});

it('the first connected viewer is told at once, and again; the last that leaves, too', async () => {
  const up = vi.spyOn(edge.pulse, 'send');
  const viewer = await newViewer();
  expect(up).not.toHaveBeenCalled();
  connect(viewer);
  expect(up).toHaveBeenCalledTimes(1);
  expect(up).toHaveBeenLastCalledWith(expect.objectContaining({ viewers: 1 }));
  vi.advanceTimersByTime(timing.legPulse);
  expect(up).toHaveBeenCalledTimes(2);
  viewer.close('deleted');
  expect(up).toHaveBeenCalledTimes(3);
  expect(up).toHaveBeenLastCalledWith(expect.objectContaining({ viewers: 0 }));
});

it('other viewers who come are told of by one beat, a pulse later', async () => {
  const [first, ...more] = await Promise.all(Array.from({ length: 5 }, newViewer));
  if (first === undefined) throw new Error('five viewers');
  connect(first);
  vi.advanceTimersByTime(2 * timing.legPulse);
  const up = vi.spyOn(edge.pulse, 'send');
  more.forEach(connect);
  expect(up).not.toHaveBeenCalled();
  vi.advanceTimersByTime(timing.legPulse);
  expect(up).toHaveBeenCalledTimes(1);
  expect(up).toHaveBeenLastCalledWith(expect.objectContaining({ viewers: 5 }));
});

it('what the parent says anew is passed on to children, a pulse later, and not back to it', async () => {
  const low = await openStream(workers, { self: selfOf('i-low') });
  try {
    const sent = vi.spyOn(edge.pulse, 'send');
    edge.passOn();
    vi.advanceTimersByTime(timing.legPulse);
    expect(sent).not.toHaveBeenCalled();
    await feedByLeg(workers, { parent: edge, child: low });
    vi.advanceTimersByTime(timing.legPulse / 2);
    sent.mockClear();
    edge.passOn();
    vi.advanceTimersByTime(timing.legPulse);
    expect(sent).toHaveBeenCalledOnce();
  } finally {
    low.close('node-closing');
  }
});

it('a child that comes is told at once how the stream does', async () => {
  const down = vi.spyOn(edge.pulse, 'send');
  const low = await openStream(workers, { self: selfOf('i-low') });
  try {
    await feedByLeg(workers, { parent: edge, child: low });
    expect(down).toHaveBeenCalled();
  } finally {
    low.close('node-closing');
  }
});
