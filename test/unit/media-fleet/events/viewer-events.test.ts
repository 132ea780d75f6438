// What one viewer hears: by its subscriptions, of which there may be so many, and over its data channel; the word to
// reconnect that is its own.

import { randomUUID } from 'node:crypto';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { EventChannels } from '#media-fleet/events/event-channels.ts';
import { EventLog } from '#media-fleet/events/event-log.ts';
import { messageOf, underMid, ViewerEvents } from '#media-fleet/events/viewer-events.ts';
import { openHub, startWorkers } from '../media.ts';

const API = 'https://eu-west-1.live.example';
const LAYERS = { active: [{ id: 'q', simulcastIdx: 0, bitrate: 100 }], inactive: [], layers: [] };

let log: EventLog;
let mid: string | undefined;
let events: ViewerEvents;
beforeEach(() => {
  log = new EventLog();
  mid = 'v';
  events = new ViewerEvents({ stream: 'a concert', log, videoMid: () => mid });
  log.setLive(true, 0);
  log.setViewers(3, 0);
  log.setLayers(LAYERS, 0);
});

it('a subscription hears the events that it named, and no others', () => {
  const all = events.subscribe(['active', 'viewercount', 'layers']);
  const one = events.subscribe(['viewercount']);
  expect(events.since(all, undefined)).toEqual([
    { id: 1, event: 'active', data: {} },
    { id: 2, event: 'viewercount', data: { viewercount: 3 } },
    { id: 3, event: 'layers', data: { medias: { v: LAYERS } } },
  ]);
  expect(events.since(one, undefined).map(({ event }) => event)).toEqual(['viewercount']);
  expect(events.since(all, 3)).toEqual([]);
});

it('who sees no video hears of no layers', () => {
  mid = undefined;
  expect(events.since(events.subscribe(['layers', 'active']), undefined)).toHaveLength(1);
});

it('layers are looked at for who asked for them', () => {
  events.subscribe(['viewercount']);
  expect(events.wantsLayers).toBe(false);
  const id = events.subscribe(['layers']);
  expect(events.wantsLayers).toBe(true);
  events.unsubscribe(id);
  expect(events.wantsLayers).toBe(false);
});

it('the word to reconnect is this viewer’s, in its place among the others’', () => {
  const other = new ViewerEvents({ stream: 'a concert', log, videoMid: () => mid });
  const [mine, theirs] = [events, other].map((viewer) => viewer.subscribe(['reconnect', 'viewercount']));
  events.reconnect(API);
  log.setViewers(2, 2_000);
  expect(events.since(mine ?? '', 2)).toEqual([
    { id: 4, event: 'reconnect', data: { url: `${API}/whep/a%20concert` } },
    { id: 5, event: 'viewercount', data: { viewercount: 2 } },
  ]);
  expect(events.since(mine ?? '', 4).map(({ event }) => event)).toEqual(['viewercount']);
  expect(other.since(theirs ?? '', 2).map(({ event }) => event)).toEqual(['viewercount']);
});

it('an id that was never given brings how things stand, the word to reconnect included', () => {
  const id = events.subscribe(['active', 'reconnect']);
  events.reconnect(API);
  expect(events.since(id, 99).map(({ event }) => event)).toEqual(['active', 'reconnect']);
});

it('a session has four subscriptions at most: a fifth takes the place of the oldest', () => {
  const [first = '', second = ''] = Array.from({ length: 4 }, () => events.subscribe(['active']));
  events.subscribe(['active']);
  expect(() => events.since(first, undefined)).toThrow(expect.objectContaining({ status: 404 }));
  expect(events.since(second, undefined).map(({ event }) => event)).toEqual(['active']);
});

it('a subscription that is deleted, or never was, is a 404', () => {
  const id = events.subscribe(['active']);
  events.unsubscribe(id);
  for (const gone of [id, randomUUID()]) {
    expect(() => events.since(gone, undefined)).toThrow(expect.objectContaining({ status: 404 }));
    expect(() => events.unsubscribe(gone)).toThrow(expect.objectContaining({ status: 404 }));
  }
});

it('over the data channel it is told how things stand, then what is told to all, and nothing twice', async () => {
  const workers = await startWorkers();
  onTestFinished(() => workers.close());
  const { router, media } = await openHub(workers);
  const channels = new EventChannels();
  const stream = new EventLog();
  stream.on('event', (event) => channels.send(messageOf(underMid(event, ''))));
  const viewer = new ViewerEvents({ stream: 'a concert', log: stream, videoMid: () => undefined });
  const channel = await channels.open(router, await router.createDirectTransport(), undefined);
  const transport = await workers.createSessionTransport(media, router);
  const toIt: string[] = [];
  const toAll: string[] = [];
  // Without a client the worker has no SCTP association for what is sent to this viewer alone.
  vi.spyOn(channel, 'send').mockImplementation(async (message) => toIt.push(message.toString()));
  channel.on('message', (message) => toAll.push(message.toString()));
  viewer.openChannel(channel, transport);
  stream.setLive(true, 0);
  transport.emit('sctpstatechange', 'connected');
  // Before the worker has answered.
  stream.setViewers(3, 0);
  await vi.waitFor(() => expect(toAll).toEqual([expect.stringContaining('viewercount')]), { timeout: 5_000 });
  stream.setViewers(2, 2_000);
  await vi.waitFor(() => expect(toAll).toHaveLength(2), { timeout: 5_000 });
  expect(toIt).toEqual(['{"event":"active","data":{}}']);
});
