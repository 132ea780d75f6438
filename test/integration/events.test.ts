// What players hear of their stream, on real media: over a data channel, and by GET on a subscription.

import wrtc from '@roamhq/wrtc';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import * as z from 'zod';
import { startWorld, type World } from '#local/world.ts';
import { viewerEventName } from '#routing/viewer-events.ts';
import { publishFrom, startChromium } from '#test/media/chromium.ts';
import { HttpError, type Viewer } from '#test/media/libwebrtc.ts';
import { useSessions } from './sessions.ts';
import { eventually, newStream, nodesOf, readTree, regionAt } from './support.ts';

let world: World;
beforeAll(async () => {
  // Of its own, for a node is drained.
  world = await startWorld({
    regions: ['us-east-1', 'eu-west-1'],
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    env: { MERIDIAN_CPU_LIMIT: '1', MERIDIAN_DRAIN_MS: '20000' },
  });
});
afterAll(() => world.close());

const region = (index: number) => regionAt(world, index);
const tree = (stream: string) => readTree(stream, region(1), world.apiSecret);
const { publish, watch } = useSessions({ publishToken: () => world.publishToken, tree });

const message = z.object({ event: viewerEventName, data: z.record(z.string(), z.unknown()) });
const messages = ({ heard }: Viewer) => heard.map((one) => message.parse(one));
/** The data of the newest message of a kind. */
const last = (viewer: Viewer, event: string) => messages(viewer).findLast((one) => one.event === event)?.data;
const soon = { timeout: 30_000, interval: 50 };

describe('a data channel', () => {
  test('says that the stream is live, how many watch in all regions, which layers come, and that it has ended', async () => {
    const stream = newStream('heard');
    const publisher = await publish(stream, region(0));
    const near = await watch(stream, region(0), { hearsEvents: true });
    await near.watch(5);
    await vi.waitFor(() => expect(last(near, 'active')).toEqual({}), soon);
    await vi.waitFor(() => expect(last(near, 'viewercount')).toEqual({ viewercount: 1 }), soon);
    const far = await watch(stream, region(1), { hearsEvents: true });
    await vi.waitFor(() => {
      for (const viewer of [near, far]) expect(last(viewer, 'viewercount')).toEqual({ viewercount: 2 });
    }, soon);
    await vi.waitFor(() => {
      for (const viewer of [near, far]) {
        expect(last(viewer, 'layers')).toEqual({
          medias: {
            0: {
              active: [{ id: '0', simulcastIdx: 0, bitrate: expect.any(Number) }],
              inactive: [],
              layers: [{ encodingId: '0', spatialLayerId: 0, temporalLayerId: 0 }],
            },
          },
        });
      }
    }, soon);

    await near.stop();
    await vi.waitFor(() => expect(last(far, 'viewercount')).toEqual({ viewercount: 1 }), soon);
    expect(messages(far).map(({ event }) => event)).not.toContain('inactive');
    await publisher.stop();
    await vi.waitFor(() => expect(messages(far).at(-1)).toEqual({ event: 'inactive', data: {} }), soon);
    await publish(stream, region(1));
    await vi.waitFor(() => {
      const liveness = messages(far).filter(({ event }) => event === 'active' || event === 'inactive');
      expect(liveness.map(({ event }) => event)).toEqual(['active', 'inactive', 'active']);
    }, soon);
  });

  test('says in every region that a publisher sends nothing although it stays, and that it sends again', async () => {
    const stream = newStream('paused');
    const publisher = await publish(stream, region(0));
    const viewers = await Promise.all(
      [region(0), region(1)].map((at) => watch(stream, at, { hearsEvents: true })),
    );
    const heard = (...names: string[]) =>
      vi.waitFor(() => {
        for (const viewer of viewers) {
          const liveness = messages(viewer).filter(({ event }) => event === 'active' || event === 'inactive');
          expect(liveness.map(({ event }) => event)).toEqual(names);
        }
      }, soon);
    await heard('active');
    publisher.silent = true;
    await heard('active', 'inactive');
    publisher.silent = false;
    await heard('active', 'inactive', 'active');
  });
});

test('a player that wants a counter-offer and events is offered both', async () => {
  const stream = newStream('countered');
  await publish(stream, region(0));
  const listen = () => {
    const connection = new wrtc.RTCPeerConnection();
    return { connection, channel: connection.createDataChannel('events', { negotiated: true, id: 0 }) };
  };
  const asking = listen();
  asking.connection.addTransceiver('video', { direction: 'recvonly' });
  const { sdp = '' } = await asking.connection.createOffer();
  await asking.connection.setLocalDescription({ type: 'offer', sdp });
  asking.connection.close();
  const response = await fetch(`${region(1).api}/whep/${stream}`, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp', prefer: 'counter-offer' },
    body: sdp,
  });
  const offer = await response.text();
  expect([response.status, offer.match(/^m=\w+/gm)]).toEqual([406, ['m=video', 'm=audio', 'm=application']]);
  const { connection, channel } = listen();
  const heard: unknown[] = [];
  channel.onmessage = ({ data }) => heard.push(JSON.parse(data));
  await connection.setRemoteDescription({ type: 'offer', sdp: offer });
  const answer = await connection.createAnswer();
  await connection.setLocalDescription({ type: 'answer', sdp: answer.sdp ?? '' });
  const location = response.headers.get('location') ?? '';
  const taken = await fetch(location, {
    method: 'PATCH',
    headers: { 'content-type': 'application/sdp' },
    body: answer.sdp ?? '',
  });
  expect(taken.status).toBe(204);
  await vi.waitFor(() => {
    expect(heard).toContainEqual({ event: 'active', data: {} });
    expect(heard).toContainEqual({ event: 'viewercount', data: { viewercount: 1 } });
  }, soon);
  connection.close();
  expect((await fetch(location, { method: 'DELETE' })).status).toBe(200);
});

test('Chromium hears of simulcast layers of another region, by both ways', async () => {
  const stream = newStream('chromium');
  const browser = await startChromium();
  try {
    const [sender, page] = await Promise.all([browser.open(world.page), browser.open(world.page)]);
    const rids = ['q', 'h', 'f'];
    await publishFrom(sender, { url: `${region(0).api}/whip/${stream}`, token: world.publishToken, rids });
    await eventually(
      () => tree(stream),
      (state) => state?.origin != null,
    );
    const heard = await page.evaluate(
      async (url) => {
        const connection = new RTCPeerConnection();
        const channel = connection.createDataChannel('events', { negotiated: true, id: 0 });
        connection.addTransceiver('video', { direction: 'recvonly' });
        await connection.setLocalDescription();
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/sdp' },
          body: connection.localDescription?.sdp ?? '',
        });
        const [, events = ''] =
          /<([^>]+)>; rel="[^"]*server-sent-events"/.exec(response.headers.get('link') ?? '') ?? [];
        const made = await fetch(events, { method: 'POST', body: '["active","layers"]' });
        const location = made.headers.get('location') ?? '';
        const source = new EventSource(location);
        /** The data of the first such event that has all three layers. */
        const byChannel = new Promise<unknown>((resolve) => {
          channel.addEventListener('message', ({ data }) => {
            const { event, data: told } = JSON.parse(data);
            if (event === 'layers' && told.medias[0].active.length === 3) resolve(told);
          });
        });
        const bySource = new Promise<unknown>((resolve) => {
          source.addEventListener('layers', ({ data }) => {
            const told = JSON.parse(data);
            if (told.medias[0].active.length === 3) resolve(told);
          });
        });
        await connection.setRemoteDescription({ type: 'answer', sdp: await response.text() });
        const layers = await Promise.all([byChannel, bySource]);
        await fetch(location, { method: 'DELETE' });
        // A 404 is the end for an event source.
        const ended = await new Promise<boolean>((resolve) => {
          source.addEventListener('error', () => {
            if (source.readyState === EventSource.CLOSED) resolve(true);
          });
        });
        await fetch(response.headers.get('location') ?? '', { method: 'DELETE' });
        connection.close();
        return { layers, ended };
      },
      `${region(1).api}/whep/${stream}`,
    );
    expect(heard.ended).toBe(true);
    for (const told of heard.layers) {
      expect(told).toMatchObject({
        medias: {
          0: {
            active: rids.map((id, simulcastIdx) => ({ id, simulcastIdx, bitrate: expect.any(Number) })),
            inactive: [],
          },
        },
      });
    }
  } finally {
    await browser.close();
  }
});

describe('a subscription', () => {
  const events = (viewer: Viewer, names: unknown, headers: Record<string, string> = {}) =>
    fetch(`${viewer.session.location}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(names),
    });

  /** What a GET brings, as an EventSource reads it. */
  async function read(url: string, lastEventId?: string) {
    const response = await fetch(url, { headers: lastEventId ? { 'last-event-id': lastEventId } : {} });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const [retry, ...blocks] = (await response.text()).trimEnd().split('\n\n');
    expect(retry).toBe('retry: 2000');
    return blocks.map((block) => {
      const [, id = '', event, data = ''] = /^id: (\d+)\nevent: (.+)\ndata: (.+)$/.exec(block) ?? [];
      return { id, event, data: JSON.parse(data) };
    });
  }

  test('hears what it asked for, once, for as long as its session lives', async () => {
    const stream = newStream('subscribed');
    const publisher = await publish(stream, region(0));
    const viewer = await watch(stream, region(1));
    expect((await events(viewer, ['active', 'scte35'])).status).toBe(400);
    expect((await events(viewer, { active: true })).status).toBe(400);
    const made = await events(viewer, ['active', 'inactive', 'viewercount']);
    const url = made.headers.get('location') ?? '';
    expect([made.status, url]).toEqual([201, expect.stringContaining(`${viewer.session.location}/events/`)]);

    const first = await eventually(
      () => read(url),
      (heard) => heard.some(({ event }) => event === 'viewercount'),
    );
    expect(first.map(({ event, data }) => [event, data])).toEqual([
      ['active', {}],
      ['viewercount', { viewercount: expect.any(Number) }],
    ]);
    await watch(stream, region(0));
    const newest = await eventually(
      () => read(url, first.at(-1)?.id),
      (heard) => heard.length > 0 && heard.at(-1)?.data.viewercount === 2,
    );
    expect(newest.map(({ event }) => event)).toEqual(['viewercount']);
    expect(await read(url, newest.at(-1)?.id)).toEqual([]);
    await publisher.stop();
    await eventually(
      () => read(url, newest.at(-1)?.id),
      (heard) => heard.some(({ event }) => event === 'inactive'),
    );

    expect((await fetch(url, { method: 'DELETE' })).status).toBe(200);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(404);
    expect((await fetch(url)).status).toBe(404);
    const again = (await events(viewer, ['active'])).headers.get('location') ?? '';
    expect((await fetch(again)).status).toBe(200);
    await viewer.stop();
    expect((await fetch(again)).status).toBe(404);
  });
});

test('a node that is to end tells its viewers, one after the other, to come to its region again', async () => {
  const stream = newStream('reconnect');
  await publish(stream, region(0));
  const viewer = await watch(stream, region(1), { hearsEvents: true });
  await viewer.watch(3);
  const [edge] = nodesOf((await tree(stream)) ?? never(), region(1)).filter(({ viewers }) => viewers === 1);
  const node = world.nodes.find(({ nodeId }) => nodeId === edge?.nodeId) ?? never();
  node.child.process.kill('SIGTERM');
  await vi.waitFor(() => expect(last(viewer, 'reconnect')).toBeDefined(), soon);
  const url = z.object({ url: z.url() }).parse(last(viewer, 'reconnect')).url;
  expect(url).toBe(`${region(1).api}/whep/${stream}`);
  // The registry says a moment later that it drains.
  const next = await eventually(
    () =>
      watch(stream, region(1)).catch((error: unknown) => (error instanceof HttpError ? undefined : never())),
    (opened) => opened !== undefined,
  );
  await next?.watch(3);
  const nodes = nodesOf((await tree(stream)) ?? never(), region(1));
  expect(nodes.find(({ nodeId }) => nodeId !== edge?.nodeId && nodeId !== undefined)?.viewers).toBe(1);
});

function never(): never {
  throw new Error('not live');
}
