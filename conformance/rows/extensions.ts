// WHEP's extensions, where a server says that it has them: L rows.

import { must, type Row, type Server, Skipped } from '../row.ts';

const EVENTS = 'urn:ietf:params:whep:ext:core:server-sent-events';

/** Milliseconds for the first of an event stream to come; some servers hold it open. */
const FIRST_EVENTS = 2_000;

/** The URL of a link of the answer, and its parameters. @throws Skipped where there is none. */
function linkOf(headers: Headers, relation: string): { href: string; parameters: string } {
  for (const [, href = '', parameters = ''] of (headers.get('link') ?? '').matchAll(
    /<([^>]*)>((?:;[^,"]*(?:"[^"]*")?)*)/g,
  )) {
    if (parameters.includes(`rel="${relation}"`)) return { href, parameters };
  }
  throw new Skipped(`no Link has rel="${relation}"`);
}

/** A new session's events: where they are, and their names. */
async function eventsOf(server: Server): Promise<{ url: string; names: string[] }> {
  const session = await server.open('whep');
  const { href, parameters } = linkOf(session.headers, EVENTS);
  const names = (/events="([^"]*)"/.exec(parameters)?.[1] ?? '').split(',').filter((name) => name !== '');
  must(names.length > 0, 'the Link names no events');
  return { url: new URL(href, session.url).href, names };
}

const subscribe = (server: Server, url: string, names: readonly string[]) =>
  server.send(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(names),
  });

async function subscription(server: Server, names?: readonly string[]): Promise<string> {
  const events = await eventsOf(server);
  const { status, headers } = await subscribe(server, events.url, names ?? events.names);
  must(status === 201, `the subscription was answered ${status}`);
  const location = headers.get('location');
  must(location !== null, 'there is no Location');
  return new URL(location, events.url).href;
}

/** What comes first of an event stream, whether it ends or not. */
async function firstEvents({ token }: Server, url: string) {
  const response = await fetch(url, {
    headers: { accept: 'text/event-stream', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    signal: AbortSignal.timeout(FIRST_EVENTS),
  });
  let text = '';
  try {
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += chunk;
  } catch (error) {
    if (!(error instanceof Error && error.name === 'TimeoutError')) throw error;
  }
  return { status: response.status, type: response.headers.get('content-type') ?? '', text };
}

export const extensionRows: Row[] = [
  {
    id: 'L3a',
    requirement:
      'the events of the Link can be subscribed to: 201 with a Location (WHEP’s server-sent events)',
    level: 'MUST',
    check: async (server) => {
      await subscription(server);
    },
  },
  {
    id: 'L3b',
    requirement: 'an event that the Link does not name is refused with 400',
    level: 'MUST',
    check: async (server) => {
      const { url, names } = await eventsOf(server);
      const { status } = await subscribe(server, url, [...names, 'no-such-event']);
      must(status === 400, `answered ${status}`);
    },
  },
  {
    id: 'L3c',
    requirement: 'GET on the subscription is an event stream; after DELETE it is a 404',
    level: 'MUST',
    check: async (server) => {
      const url = await subscription(server);
      const { status, type } = await firstEvents(server, url);
      must(status === 200 && type.startsWith('text/event-stream'), `answered ${status}, ${type}`);
      const deleted = await server.send(url, { method: 'DELETE' });
      must(deleted.status >= 200 && deleted.status < 300, `the DELETE was answered ${deleted.status}`);
      const gone = await firstEvents(server, url);
      must(gone.status === 404, `then GET was answered ${gone.status}`);
    },
  },
  {
    id: 'L5',
    requirement:
      'a live stream is active from the first event on, and never at first inactive; data is one line of JSON',
    level: 'MUST',
    check: async (server) => {
      const { text } = await firstEvents(server, await subscription(server, ['active', 'inactive']));
      must(/^event: ?active$/m.test(text), 'it is not active');
      must(!/^event: ?inactive$/m.test(text), 'it is inactive');
      for (const block of text.split(/\r?\n\r?\n/).filter((one) => /^event:/m.test(one))) {
        const data = block.split(/\r?\n/).filter((line) => line.startsWith('data:'));
        must(data.length === 1, `an event has ${data.length} lines of data`);
        JSON.parse(data[0]?.slice('data:'.length) ?? '');
      }
    },
  },
];
