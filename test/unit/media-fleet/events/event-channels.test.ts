// What reaches whom: viewers of several routers, each with its section's own message, until they or their router go.

import type { DataConsumer, Router } from 'mediasoup/types';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { EventChannels } from '#media-fleet/events/event-channels.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { openHub, startWorkers } from '../media.ts';

let workers: Workers;
let routers: Router[];
let channels: EventChannels;
beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  routers = await Promise.all([1, 2].map(async () => (await openHub(workers)).router));
  channels = new EventChannels();
});
afterEach(() => {
  for (const router of routers) router.close();
});

interface Listener {
  consumer: DataConsumer;
  heard: string[];
}

/** A viewer that reads what comes, without a client. */
async function listen(index: number, mid?: string): Promise<Listener> {
  const router = routers[index];
  if (router === undefined) throw new Error('no such router');
  const consumer = await channels.open(router, await router.createDirectTransport(), mid);
  const heard: string[] = [];
  consumer.on('message', (message) => heard.push(message.toString()));
  await consumer.resume();
  return { consumer, heard };
}

const arrives = (listener: Listener, messages: string[]) =>
  vi.waitFor(() => expect(listener.heard).toEqual(messages), { timeout: 5_000 });

it('a message reaches every viewer, whichever router serves it', async () => {
  const all = [await listen(0, '0'), await listen(0), await listen(1, 'video')];
  channels.send('hello');
  for (const listener of all) await arrives(listener, ['hello']);
});

it('what is for a section reaches the viewers of that name, and nobody else', async () => {
  const [a, b, far, none] = [
    await listen(0, '0'),
    await listen(0, '1'),
    await listen(1, '0'),
    await listen(0),
  ];
  channels.sendByMid((mid) => `for ${mid}`);
  channels.send('end');
  await arrives(a, ['for 0', 'end']);
  await arrives(b, ['for 1', 'end']);
  await arrives(far, ['for 0', 'end']);
  await arrives(none, ['end']);
});

it('a name is spoken to for as long as somebody has it', async () => {
  const names = () => {
    const asked: string[] = [];
    channels.sendByMid((mid) => {
      asked.push(mid);
      return mid;
    });
    return asked;
  };
  const [first, second] = [await listen(0, '0'), await listen(0, '0')];
  first.consumer.close();
  expect(names()).toEqual(['0']);
  second.consumer.close();
  expect(names()).toEqual([]);
  const other = await listen(0, '1');
  expect(names()).toEqual(['1']);
  routers[0]?.close();
  expect(other.consumer.closed).toBe(true);
  expect(names()).toEqual([]);
});

it('before it is resumed a viewer hears nothing, so that nothing old waits for it', async () => {
  const [router] = routers;
  if (router === undefined) throw new Error('no router');
  const consumer = await channels.open(router, await router.createDirectTransport(), undefined);
  const heard: string[] = [];
  consumer.on('message', (message) => heard.push(message.toString()));
  channels.send('too soon');
  const other = await listen(0);
  await consumer.resume();
  channels.send('now');
  await arrives(other, ['now']);
  await vi.waitFor(() => expect(heard).toEqual(['now']), { timeout: 5_000 });
});

it('a router that closed is forgotten, and the others go on', async () => {
  const [gone, stays] = [await listen(0), await listen(1)];
  routers[0]?.close();
  channels.send('after');
  await arrives(stays, ['after']);
  expect(gone.heard).toEqual([]);
});

it('a viewer’s transport carries it on SCTP stream 0, which its player knows', async () => {
  const hub = await openHub(workers);
  const transport = await workers.createSessionTransport(hub.media, hub.router, { maxMessageSize: 0 });
  const consumer = await channels.open(hub.router, transport, '0');
  expect(consumer.sctpStreamParameters).toMatchObject({ streamId: 0, ordered: true });
  hub.router.close();
  expect(consumer.closed).toBe(true);
});

it('a transport without data channels is refused, and leaves no name behind', async () => {
  const hub = await openHub(workers);
  const transport = await workers.createSessionTransport(hub.media, hub.router);
  await expect(channels.open(hub.router, transport, '0')).rejects.toThrow();
  const asked: string[] = [];
  channels.sendByMid((mid) => {
    asked.push(mid);
    return mid;
  });
  expect(asked).toEqual([]);
  hub.router.close();
});
