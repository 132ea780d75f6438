// Who gets a leg of a stream, which leg replaces which, and how a child learns that its leg is of an old source.

import { once } from 'node:events';
import type { Consumer } from 'mediasoup/types';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { ChildLeg } from '#media-fleet/child-leg.ts';
import type { Stream } from '#media-fleet/stream.ts';
import type { Workers } from '#media-fleet/workers.ts';
import type { LegRequest } from '#routing/node-messages.ts';
import { askForLeg, feedByLeg, feedByPublisher, openStream, publisherOf, refusalOf, selfOf } from './legs.ts';
import { startWorkers } from './media.ts';

let workers: Workers;
let parent: Stream;
let open: Stream[];

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  open = [];
  parent = await node('parent');
  await feedByPublisher(workers, parent);
});
afterEach(() => {
  for (const stream of open) stream.close('node-closing');
});

async function node(nodeId: string, { region = 'eu-west-1', maxChildren = 2 } = {}): Promise<Stream> {
  const stream = await openStream(workers, { self: selfOf(nodeId, region), maxChildren });
  open.push(stream);
  return stream;
}
const fed = () => parent.children.legs.map(({ child }) => `${child.region} ${child.nodeId} ${child.epoch}`);

it('a child gets every track, the path to it, and the source’s number', async () => {
  const child = await node('child');
  const leg = await feedByLeg(workers, { parent, child });
  expect(leg.tracks.map(({ kind }) => kind)).toEqual(['audio', 'video']);
  expect(leg).toMatchObject({ path: ['parent'], parent: { nodeId: 'parent' }, origin: { epoch: 1 } });
  expect(parent.children.legs[0]?.answer.generation).toBe(parent.generation);
});

it('the same request again is the same leg', async () => {
  const child = await node('child');
  let request: LegRequest | undefined;
  await feedByLeg(workers, {
    parent,
    child,
    change: (sent) => {
      request = sent;
      return sent;
    },
  });
  if (request === undefined) throw new Error('nothing was asked');
  const [leg] = parent.children.legs;
  expect(await parent.children.feed(request)).toBe(leg?.answer);
  expect(parent.children.legs).toEqual([leg]);
});

it('without a source there is no leg: 410', async () => {
  const empty = await node('empty');
  await expect(askForLeg(workers, { parent: empty, child: await node('child') })).rejects.toMatchObject({
    status: 410,
    code: 'stream-not-here',
  });
});

it('a child that stands above is refused, and so is the node itself: no loops', async () => {
  const child = await node('child');
  await feedByLeg(workers, { parent, child });
  expect(await refusalOf(askForLeg(workers, { parent: child, child: parent }))).toMatchObject({
    result: 'stale',
    reason: expect.stringContaining('loop'),
  });
  expect(await refusalOf(askForLeg(workers, { parent, child: parent }))).toMatchObject({ result: 'stale' });
  expect(child.children.legs).toEqual([]);
});

it('a child’s newer leg takes the older one’s place', async () => {
  const child = await node('child');
  const first = await feedByLeg(workers, { parent, child });
  const [old] = parent.children.legs;
  if (old === undefined) throw new Error('no leg');
  const closed = once(old, 'close');
  await feedByLeg(workers, { parent, child });
  await closed;
  expect(fed()).toEqual(['eu-west-1 child 1']);
  first.close('closed');
});

it('a region has one leg: of the newest epoch, whoever comes first', async () => {
  const [one, other] = [
    await node('one', { region: 'us-east-1' }),
    await node('other', { region: 'us-east-1' }),
  ];
  await feedByLeg(workers, { parent, child: one, epoch: 1 });
  await feedByLeg(workers, { parent, child: other, epoch: 2 });
  expect(fed()).toEqual(['us-east-1 other 2']);
  expect(await refusalOf(askForLeg(workers, { parent, child: one, epoch: 1 }))).toMatchObject({
    result: 'stale',
    reason: expect.stringContaining('epoch'),
  });
  expect(fed()).toEqual(['us-east-1 other 2']);
});

it('of two that ask at once the one of the newer epoch is fed', async () => {
  const [one, other] = [
    await node('one', { region: 'us-east-1' }),
    await node('other', { region: 'us-east-1' }),
  ];
  const outcomes = await Promise.all([
    refusalOf(askForLeg(workers, { parent, child: other, epoch: 2 })),
    refusalOf(askForLeg(workers, { parent, child: one, epoch: 1 })),
  ]);
  expect(outcomes).toEqual([undefined, expect.objectContaining({ result: 'stale' })]);
  expect(fed()).toEqual(['us-east-1 other 2']);
});

it('a leg that took longer to make than the newer one is not put in its place', async () => {
  const [one, other] = [
    await node('one', { region: 'us-east-1' }),
    await node('other', { region: 'us-east-1' }),
  ];
  const newerIsMade = Promise.withResolvers<void>();
  const make = ChildLeg.open;
  const slow = vi.spyOn(ChildLeg, 'open').mockImplementationOnce(async (options) => {
    await newerIsMade.promise;
    return make(options);
  });
  const older = refusalOf(askForLeg(workers, { parent, child: one, epoch: 1 }));
  await vi.waitFor(() => expect(slow).toHaveBeenCalledOnce());
  await feedByLeg(workers, { parent, child: other, epoch: 2 });
  newerIsMade.resolve();
  expect(await older).toMatchObject({ result: 'stale' });
  expect(fed()).toEqual(['us-east-1 other 2']);
  slow.mockRestore();
});

// The claim's item may be swept from the map a day after its release; its region then begins at 1 again.
it('a region whose leg is gone may begin with a lower epoch', async () => {
  const child = await node('child', { region: 'us-east-1' });
  const leg = await feedByLeg(workers, { parent, child, epoch: 7 });
  leg.close('closed');
  parent.children.close();
  expect(fed()).toEqual([]);
  await feedByLeg(workers, { parent, child, epoch: 1 });
  expect(fed()).toEqual(['us-east-1 child 1']);
});

it('beyond the children that it feeds it names those of its region, and feeds the same ones still', async () => {
  const children = [await node('one'), await node('two'), await node('three')];
  const [one, two, three] = children;
  if (!one || !two || !three) throw new Error('no nodes');
  await feedByLeg(workers, { parent, child: one });
  await feedByLeg(workers, { parent, child: two });
  await vi.waitFor(() => expect(parent.children.legs.every(({ heard }) => heard)).toBe(true));
  expect(await refusalOf(askForLeg(workers, { parent, child: three }))).toEqual({
    v: 1,
    result: 'elsewhere',
    nodeIds: ['one', 'two'],
  });
  await feedByLeg(workers, { parent, child: one });
  expect(fed().toSorted()).toEqual(['eu-west-1 one 1', 'eu-west-1 two 1']);
});

it('a child that has not got the stream yet is not named', async () => {
  await feedByLeg(workers, { parent, child: await node('one') });
  await vi.waitFor(() => expect(parent.children.legs[0]?.heard).toBe(true));
  // Its leg stands, but does not feed it.
  await askForLeg(workers, { parent, child: await node('two') });
  const refusal = await refusalOf(askForLeg(workers, { parent, child: await node('three') }));
  expect(refusal).toEqual({ v: 1, result: 'elsewhere', nodeIds: ['one'] });
});

it('requests that come at once do not all get the last place', async () => {
  const children = await Promise.all(['one', 'two', 'three', 'four'].map((nodeId) => node(nodeId)));
  const outcomes = await Promise.allSettled(
    children.map((child) => refusalOf(askForLeg(workers, { parent, child }))),
  );
  expect(
    outcomes.filter((outcome) => outcome.status === 'fulfilled' && outcome.value === undefined),
  ).toHaveLength(2);
  expect(fed()).toHaveLength(2);
});

it('when only legs into other regions are fed there is nobody to name: 503', async () => {
  for (const region of ['us-east-1', 'ap-south-1']) {
    await feedByLeg(workers, { parent, child: await node(`of-${region}`, { region }) });
  }
  await expect(askForLeg(workers, { parent, child: await node('child') })).rejects.toMatchObject({
    status: 503,
    code: 'no-room',
  });
});

it('a leg whose source changed while it was made is none', async () => {
  const child = await node('child');
  const second = await publisherOf(workers, parent, 2);
  const change = (request: LegRequest) => {
    // Right after the parent has begun.
    queueMicrotask(() => void parent.attach(second));
    return request;
  };
  expect(await refusalOf(askForLeg(workers, { parent, child, change }))).toMatchObject({
    result: 'stale',
    reason: expect.stringContaining('source changed'),
  });
  expect(fed()).toEqual([]);
});

it('a leg that could not be made because its source went is no error', async () => {
  const child = await node('child');
  const second = await publisherOf(workers, parent, 2);
  const failing = vi.spyOn(ChildLeg, 'open').mockImplementationOnce(async () => {
    await parent.attach(second);
    throw new Error('Producer not found');
  });
  expect(await refusalOf(askForLeg(workers, { parent, child }))).toMatchObject({ result: 'stale' });
  // Of a source that stands it is one.
  failing.mockRejectedValueOnce(new Error('Producer not found'));
  await expect(askForLeg(workers, { parent, child })).rejects.toThrow('Producer not found');
  failing.mockRestore();
  expect(fed()).toEqual([]);
});

it('a child learns of another source, though it missed the moment of the change', async () => {
  const child = await node('child');
  const leg = await feedByLeg(workers, { parent, child });
  // The first word of it is lost: beats repeat it.
  const send = vi.spyOn(parent.pulse, 'send').mockImplementationOnce(() => undefined);
  const over = leg.over();
  await feedByPublisher(workers, parent, 2);
  expect(await over).toBe('superseded');
  send.mockRestore();
});

it('media waits for the first connected viewer below, and again after the last', async () => {
  const consumers: Consumer[] = [];
  parent.hub.observer.on('newtransport', (transport) => {
    transport.observer.on('newconsumer', (consumer) => consumers.push(consumer));
  });
  const child = await node('child');
  await feedByLeg(workers, { parent, child });
  const tracks = parent.source?.tracks.map(({ id }) => id) ?? [];
  const waiting = () =>
    consumers.filter(({ producerId }) => tracks.includes(producerId)).map(({ paused }) => paused);
  expect(waiting()).toEqual([true, true]);
  const send = child.pulse.send.bind(child.pulse);
  const own = vi.spyOn(child.pulse, 'send').mockImplementation(() => undefined);
  send({ type: 'alive', viewers: 3, generation: child.generation });
  await vi.waitFor(() => expect(waiting()).toEqual([false, false]));
  // The child's own beats say that nobody watches.
  own.mockRestore();
  await vi.waitFor(() => expect(waiting()).toEqual([true, true]));
});
