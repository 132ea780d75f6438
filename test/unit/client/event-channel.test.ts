// A player's events with a data channel that opens and closes as each test says, and a server that has them by HTTP, too.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EventChannel, listen } from '#client/event-channel.js';
import { Session } from '#client/session.js';
import { listen as listenOn } from '#local/listen.ts';

const REL = 'urn:ietf:params:whep:ext:core:server-sent-events';

class FakePeer extends EventTarget {
  readonly connectionState = 'connected';
}

class FakeChannel extends EventTarget {
  readyState: RTCDataChannelState = 'connecting';

  become(state: 'open' | 'closed') {
    this.readyState = state;
    this.dispatchEvent(new Event(state === 'open' ? 'open' : 'close'));
  }

  tell(event: string) {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify({ event }) }));
  }
}

/** What was asked of the server, in order. */
let asked: string[] = [];
/** Told of each event stream that is opened. */
let onStream = (_: ServerResponse) => {};
const server = createServer((request, response) => {
  asked.push(`${request.method} ${request.url}`);
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    onStream(response);
  } else if (request.url === '/whep/x') {
    const link = `</s/events>; rel="${REL}"; events="active,viewercount"`;
    response.writeHead(201, { location: '/s', link }).end('v=0\r\n');
  } else {
    response.writeHead(201, { location: '/s/events/1' }).end();
  }
});
let connection = new AbortController();
let url = '';
beforeEach(async () => {
  asked = [];
  connection = new AbortController();
  const host = '127.0.0.1';
  url = `http://${host}:${await listenOn(server, { host, port: 0, what: 'the server', option: '' })}`;
});
afterEach(async () => {
  connection.abort();
  vi.useRealTimers();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

/** @param early what the channel is told before anybody listens. */
async function hear(early: readonly string[] = []) {
  const { signal } = connection;
  const session = await Session.open({ url: `${url}/whep/x`, token: undefined, offer: '', signal });
  asked = [];
  const posted = vi.spyOn(session, 'post');
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const channel = new FakeChannel();
  const eventChannel = new EventChannel({ createDataChannel: () => channel });
  for (const event of early) channel.tell(event);
  const events: string[] = [];
  let onEvent = (_: string) => {};
  listen(
    { peer: new FakePeer(), session, signal },
    {
      channel: eventChannel,
      names: ['active', 'viewercount', 'reconnect'],
      onEvent: ({ event }) => {
        events.push(event);
        onEvent(event);
      },
    },
  );
  const stream = () =>
    new Promise<ServerResponse>((resolve) => {
      onStream = resolve;
    });
  const next = () =>
    new Promise<string>((resolve) => {
      onEvent = resolve;
    });
  return { channel, events, stream, next, posted };
}

const SUBSCRIBED = ['POST /s/events', 'GET /s/events/1'];

test('a channel that opens late ends the subscription that stood in for it; one that closes gets another', async () => {
  const { channel, events, stream, next } = await hear();
  const first = stream();
  vi.advanceTimersByTime(3_000);
  const standIn = await first;
  const heard = next();
  standIn.write('event: active\ndata: {}\n\n');
  expect(await heard).toBe('active');

  const gone = once(standIn, 'close');
  channel.become('open');
  await gone;
  channel.tell('viewercount');
  expect(events).toEqual(['active', 'viewercount']);
  expect(asked).toEqual(SUBSCRIBED);

  const second = stream();
  channel.become('closed');
  const again = next();
  (await second).write('event: active\ndata: {}\n\n');
  expect(await again).toBe('active');
  expect(asked).toEqual([...SUBSCRIBED, ...SUBSCRIBED]);
});

test('a channel that opens in time needs no subscription', async () => {
  const { channel, stream, posted } = await hear();
  channel.become('open');
  vi.advanceTimersByTime(3_000);
  expect(posted).not.toHaveBeenCalled();
  const opened = stream();
  channel.become('closed');
  await opened;
  expect(asked).toEqual(SUBSCRIBED);
});

test('what a channel was told before its connection was made is heard, in order', async () => {
  const { channel, events } = await hear(['active', 'viewercount']);
  await Promise.resolve();
  channel.tell('layers');
  expect(events).toEqual(['active', 'viewercount', 'layers']);
  connection.abort();
  channel.tell('inactive');
  expect(events).toHaveLength(3);
});

test('an event stream with an event without end is left, and read again from the last whole one', async () => {
  const { stream, next } = await hear();
  const first = stream();
  vi.advanceTimersByTime(3_000);
  const endless = await first;
  const gone = once(endless, 'close');
  const heard = next();
  endless.write('id: 5\nevent: active\ndata: {}\n\n');
  await heard;
  endless.write(`data: ${'x'.repeat(100_000)}`);
  await gone;
  const second = stream();
  await vi.waitFor(
    () => {
      vi.advanceTimersByTime(500);
      expect(asked).toHaveLength(3);
    },
    { timeout: 10_000 },
  );
  expect((await second).req.headers['last-event-id']).toBe('5');
});
