// A stream whose hub's worker dies, or that cannot feed an outlet: who stays, who goes, and what feeds those who stay.

import { once } from 'node:events';
import type { Consumer } from 'mediasoup/types';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import type { Stream } from '#media-fleet/stream.ts';
import type { Viewer } from '#media-fleet/viewer.ts';
import type { MediaWorker, Workers } from '#media-fleet/workers.ts';
import { askForLeg, feedByLeg, feedByPublisher, openStream, publisherOf, selfOf } from './legs.ts';
import { startWorkers } from './media.ts';
import { plainOffer } from './sdp/offers.ts';

let workers: Workers;
let open: Stream[];
beforeEach(() => {
  open = [];
});
afterEach(async () => {
  for (const stream of open) stream.close('node-closing');
  await workers.close();
});

async function start(count: number): Promise<void> {
  workers = await startWorkers({ count });
}
async function newStream(nodeId = 'i-here'): Promise<Stream> {
  const stream = await openStream(workers, { self: selfOf(nodeId) });
  open.push(stream);
  return stream;
}

/** A viewer on this worker, wherever the stream lives, and what it consumes. */
async function viewerOn(
  stream: Stream,
  media: MediaWorker,
): Promise<{ viewer: Viewer; consumers: Consumer[] }> {
  const consumers: Consumer[] = [];
  const create = workers.createSessionTransport.bind(workers);
  const creating = vi.spyOn(workers, 'createSessionTransport').mockImplementation(async (...args) => {
    const transport = await create(...args);
    transport.observer.on('newconsumer', (consumer) => consumers.push(consumer));
    return transport;
  });
  const picking = vi.spyOn(workers, 'pickForViewer').mockReturnValue(media);
  const { viewer } = await stream.addViewer(readOffer(plainOffer([/sendonly/g, 'recvonly'])));
  picking.mockRestore();
  creating.mockRestore();
  return { viewer, consumers };
}
const shown = (consumers: readonly Consumer[]) =>
  consumers.filter(({ closed }) => !closed).map(({ kind, rtpParameters }) => [kind, rtpParameters.mid]);

/** Its worker dies; resolves when the stream has seen it. */
async function kill({ worker, hub }: Stream): Promise<void> {
  const closed = once(hub.observer, 'close');
  process.kill(worker.worker.pid, 'SIGKILL');
  await closed;
}
async function otherWorker(stream: Stream): Promise<MediaWorker> {
  // The worker without sessions is the next to be picked.
  const transport = await workers.createSessionTransport(stream.worker, stream.hub);
  const other = workers.pick();
  transport.close();
  expect(other).not.toBe(stream.worker);
  return other;
}

it('a viewer on another worker keeps its session, and gets the next source’s tracks', async () => {
  await start(2);
  const stream = await newStream();
  await feedByPublisher(workers, stream);
  const other = await otherWorker(stream);
  const { viewer, consumers } = await viewerOn(stream, other);
  const lost = await viewerOn(stream, stream.worker);
  expect(shown(consumers)).toHaveLength(2);
  const { hub, pulse } = stream;
  await kill(stream);
  await stream.ready();
  expect([stream.closed, viewer.ended, lost.viewer.ended]).toEqual([false, false, true]);
  expect(stream.viewers).toBe(1);
  expect([stream.hub === hub, stream.pulse === pulse, stream.hub.closed]).toEqual([false, false, false]);
  await vi.waitFor(() => expect(shown(consumers)).toEqual([]));
  await feedByPublisher(workers, stream, 2);
  expect(shown(consumers).toSorted()).toEqual([
    ['audio', '0'],
    ['video', '1'],
  ]);
  expect(viewer.ended).toBe(false);
});

it('a viewer who joins after the move is served by the new hub', async () => {
  await start(2);
  const stream = await newStream();
  await feedByPublisher(workers, stream);
  await viewerOn(stream, stream.worker);
  await stream.addViewerByCounterOffer();
  await kill(stream);
  await stream.ready();
  await feedByPublisher(workers, stream, 2);
  const { consumers } = await viewerOn(stream, stream.worker);
  expect(shown(consumers)).toHaveLength(2);
  await stream.addViewerByCounterOffer();
  expect(stream.viewers).toBe(2);
});

it('children’s legs are closed, and the next ones are of the new hub', async () => {
  await start(2);
  const stream = await newStream();
  await feedByPublisher(workers, stream);
  const child = await newStream('i-child');
  expect(child.worker).not.toBe(stream.worker);
  const old = await feedByLeg(workers, { parent: stream, child });
  const [parentEnd] = stream.children.legs;
  if (parentEnd === undefined) throw new Error('no leg');
  const closed = once(parentEnd, 'close');
  await kill(stream);
  await closed;
  await stream.ready();
  expect(stream.children.legs).toEqual([]);
  await feedByPublisher(workers, stream, 2);
  const next = await feedByLeg(workers, { parent: stream, child });
  expect(next.origin).toMatchObject({ epoch: 2 });
  expect(stream.children.legs).toHaveLength(1);
  old.close('silent');
});

it('a leg that is being made when the worker dies comes to an end, and none is left', async () => {
  await start(2);
  const stream = await newStream();
  const source = await publisherOf(workers, stream);
  await stream.attach(source);
  const child = await newStream('i-child');
  const asked = Promise.allSettled([askForLeg(workers, { parent: stream, child })]);
  await kill(stream);
  stream.detach(source);
  await Promise.all([asked, stream.ready()]);
  expect(stream.children.legs).toEqual([]);
  await expect(askForLeg(workers, { parent: stream, child })).rejects.toMatchObject({ status: 410 });
});

it('it outlives a second worker, too', async () => {
  await start(2);
  const stream = await newStream();
  for (let epoch = 1; epoch <= 2; epoch += 1) {
    await feedByPublisher(workers, stream, epoch);
    const { pid } = stream.worker.worker;
    await kill(stream);
    await stream.ready();
    expect(stream.worker.worker.pid).not.toBe(pid);
    // The dead one is replaced before the next dies.
    await vi.waitFor(async () => expect(await otherWorker(stream)).toBeDefined(), { timeout: 5_000 });
  }
  await feedByPublisher(workers, stream, 3);
  expect([stream.closed, stream.source?.origin.epoch]).toEqual([false, 3]);
});

it('without another worker it closes, and its viewers end as failed', async () => {
  await start(1);
  const stream = await newStream();
  await feedByPublisher(workers, stream);
  const { viewer } = await viewerOn(stream, stream.worker);
  const [ended, closed] = [once(viewer, 'end'), once(stream, 'close')];
  await kill(stream);
  expect(await ended).toEqual(['failed']);
  await closed;
  expect(stream.closed).toBe(true);
  await stream.ready();
});

it('closed while it moves, it leaves no router behind', async () => {
  await start(2);
  const stream = await newStream();
  await feedByPublisher(workers, stream);
  await kill(stream);
  stream.close('node-closing');
  await stream.ready();
  expect(workers.open).toEqual({ routers: 0, transports: 0 });
});

it('closed in peace it does not move', async () => {
  await start(2);
  const stream = await newStream();
  stream.close('node-closing');
  await stream.ready();
  expect(workers.open.routers).toBe(0);
});

it('of an outlet that cannot be fed the viewers end, and so does who is joining; the next one is served', async () => {
  await start(2);
  const stream = await newStream();
  await feedByPublisher(workers, stream);
  const other = await otherWorker(stream);
  const { viewer } = await viewerOn(stream, other);
  const create = workers.createSessionTransport.bind(workers);
  const [asked, refused] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const creating = vi.spyOn(workers, 'createSessionTransport').mockImplementationOnce(async (...args) => {
    asked.resolve();
    await refused.promise;
    return create(...args);
  });
  const picking = vi.spyOn(workers, 'pickForViewer').mockReturnValue(other);
  const joining = stream.addViewer(readOffer(plainOffer([/sendonly/g, 'recvonly'])));
  const joined = expect(joining).rejects.toMatchObject({ status: 503, code: 'outlet-gone' });
  await asked.promise;
  const ended = once(viewer, 'end');
  const next = await publisherOf(workers, stream, 2);
  const pipes = vi.spyOn(stream.hub, 'pipeToRouter').mockRejectedValue(new Error('no pipe'));
  await stream.attach(next);
  expect(await ended).toEqual(['failed']);
  refused.resolve();
  await joined;
  for (const mock of [creating, picking, pipes]) mock.mockRestore();
  const { consumers } = await viewerOn(stream, other);
  expect(shown(consumers)).toHaveLength(2);
  expect(stream.viewers).toBe(1);
});
