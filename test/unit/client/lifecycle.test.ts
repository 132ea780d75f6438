// A player's and a publisher's course, with connections that do what each test says.

import { afterEach, expect, test, vi } from 'vitest';
import { Refused, Unreachable } from '#client/errors.js';
import { Lifecycle, type LifecycleConnection, type Outcome, type State } from '#client/lifecycle.js';

type End = Awaited<LifecycleConnection['ended']>;

class FakeConnection implements LifecycleConnection {
  flow: LifecycleConnection['flow'] = 'connecting';
  onFlow: LifecycleConnection['onFlow'] = () => {};
  readonly started: Promise<void>;
  readonly ended: Promise<End>;
  readonly #over = new AbortController();
  readonly #end = Promise.withResolvers<End>();
  readonly #start = Promise.withResolvers<void>();

  readonly url: string;

  constructor(url: string) {
    this.url = url;
    this.started = this.#start.promise;
    this.ended = this.#end.promise;
  }

  get signal() {
    return this.#over.signal;
  }

  say(flow: LifecycleConnection['flow']) {
    this.flow = flow;
    if (flow === 'flowing') this.#start.resolve();
    this.onFlow(flow);
  }

  end(why: End) {
    this.#over.abort();
    this.#start.resolve();
    this.#end.resolve(why);
  }

  async close() {
    this.end('closed');
  }
}

const open: Lifecycle<'playing', FakeConnection>[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((lifecycle) => lifecycle.close()));
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** @param outcomes of each try in turn; once they are over each is a connection. */
function start(
  outcomes: (Error | 'connect' | 'never')[] = [],
  stopsIn?: (outcome: Outcome) => 'playing' | undefined,
) {
  vi.useFakeTimers();
  const states: State<string>[] = [];
  const connections: FakeConnection[] = [];
  const shown: (FakeConnection | undefined)[] = [];
  const urls: string[] = [];
  const lifecycle = new Lifecycle<'playing', FakeConnection>({
    url: 'first',
    connect: async (url, signal) => {
      urls.push(url);
      const outcome = outcomes.shift();
      if (outcome instanceof Error) throw outcome;
      if (outcome === 'never') {
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      }
      const connection = new FakeConnection(url);
      connections.push(connection);
      return connection;
    },
    onConnection: (connection) => shown.push(connection),
    nameOf: (flow) => (flow === 'flowing' ? 'playing' : 'connecting'),
    ...(stopsIn ? { stopsIn } : {}),
    onState: (state) => states.push(state),
    backOff: { random: () => 1 },
  });
  open.push(lifecycle);
  lifecycle.start();
  /** Tells the newest connection to go elsewhere. */
  const tell = (url: string) => {
    const connection = connections.at(-1);
    if (connection !== undefined) lifecycle.move(connection, url);
  };
  const settle = () => vi.advanceTimersByTimeAsync(0);
  const names = () => states.map(({ name }) => name);
  const waits = () => states.flatMap(({ retryIn }) => (retryIn === undefined ? [] : [retryIn]));
  return { lifecycle, tell, states, connections, shown, urls, settle, names, waits };
}

test('joins, plays, and is closed', async () => {
  const { lifecycle, connections, names, settle } = start();
  await settle();
  connections[0]?.say('flowing');
  await lifecycle.close();
  expect(names()).toEqual(['joining', 'connecting', 'playing', 'closed']);
  expect(connections[0]?.signal.aborted).toBe(true);
  expect(() => lifecycle.start()).toThrow('started before');
});

test('waits longer after each refusal, from what the server asked for', async () => {
  const busy = () => new Refused('busy', { status: 503, retryAfter: 2_000 });
  const { waits, names, urls } = start([busy(), busy(), busy(), new Unreachable('gone')]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(waits()).toEqual([4_000, 4_000, 8_000, 8_000]);
  expect(urls).toHaveLength(5);
  expect(names().at(-1)).toBe('connecting');
});

test('a refusal that will not pass is the end, and says why', async () => {
  const { states, settle, urls } = start([new Refused('no such thing', { status: 418 })]);
  await settle();
  expect(states.at(-1)).toMatchObject({ name: 'failed', error: { message: 'no such thing' } });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(urls).toHaveLength(1);
});

test('connections that last no 30 s make the waits grow; one that does lets them begin anew', async () => {
  const { connections, waits, settle } = start();
  for (let count = 0; count < 4; count += 1) {
    await settle();
    connections.at(-1)?.say('flowing');
    await vi.advanceTimersByTimeAsync(29_000);
    connections.at(-1)?.end('server');
    await vi.advanceTimersByTimeAsync(0);
    await vi.advanceTimersByTimeAsync(waits().at(-1) ?? 0);
  }
  expect(waits()).toEqual([1_000, 2_000, 4_000, 8_000]);
  await vi.advanceTimersByTimeAsync(30_000);
  connections.at(-1)?.end('lost');
  await settle();
  expect(waits().at(-1)).toBe(1_000);
});

test('a wait ends when it is told to', async () => {
  const { lifecycle, settle, urls } = start([new Unreachable('gone')]);
  await settle();
  lifecycle.retryNow();
  await settle();
  expect(urls).toHaveLength(2);
});

test('closed in the middle of a try, nothing is tried again', async () => {
  const { lifecycle, settle, names, urls } = start(['never']);
  await settle();
  await lifecycle.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(names()).toEqual(['joining', 'closed']);
  expect(urls).toHaveLength(1);
});

test('stops where it is told to, and is not closed after that', async () => {
  const { lifecycle, connections, settle, names } = start([], (outcome) =>
    'end' in outcome && outcome.end === 'superseded' ? 'playing' : undefined,
  );
  await settle();
  connections[0]?.end('superseded');
  await settle();
  await lifecycle.close();
  expect(names()).toEqual(['joining', 'connecting', 'playing']);
});

test('a page that is left ends its session at once, and joins again when it is shown again', async () => {
  const page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  const { connections, names, settle } = start();
  await settle();
  connections[0]?.say('flowing');
  page.dispatchEvent(new Event('pagehide'));
  expect(connections[0]?.signal.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(connections).toHaveLength(1);
  page.dispatchEvent(new Event('pageshow'));
  await settle();
  expect(names()).toEqual(['joining', 'connecting', 'playing', 'joining', 'connecting']);
});

test('a page that is left while it waits or joins tries nothing until it is shown again', async () => {
  const page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  const { urls, settle } = start([new Unreachable('gone'), 'never']);
  await settle();
  for (const tries of [1, 2]) {
    page.dispatchEvent(new Event('pagehide'));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(urls).toHaveLength(tries);
    page.dispatchEvent(new Event('pageshow'));
    await settle();
  }
  expect(urls).toHaveLength(3);
});

test('a network that is there again ends the wait', async () => {
  const page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  const { urls, settle } = start([new Unreachable('gone')]);
  await settle();
  page.dispatchEvent(new Event('online'));
  await settle();
  expect(urls).toHaveLength(2);
});

test('moves without a gap: the old connection is closed when the new one has media', async () => {
  const { tell, connections, shown, settle, names } = start();
  await settle();
  connections[0]?.say('flowing');
  tell('elsewhere');
  await settle();
  expect(connections[1]?.url).toBe('elsewhere');
  expect(connections[0]?.signal.aborted).toBe(false);
  connections[1]?.say('flowing');
  await settle();
  expect(connections[0]?.signal.aborted).toBe(true);
  expect(shown).toEqual([connections[0], connections[1]]);
  expect(names()).toEqual(['joining', 'connecting', 'playing']);
});

test('told to move to where nobody is, it goes to the first place, and plays on meanwhile', async () => {
  const { tell, connections, settle, urls } = start(['connect', new Unreachable('gone')]);
  await settle();
  connections[0]?.say('flowing');
  tell('elsewhere');
  await settle();
  expect(connections[0]?.signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(urls).toEqual(['first', 'elsewhere', 'first']);
});

test('the old connection that ends while nothing else can be had is followed by tries as ever', async () => {
  const gone = () => new Unreachable('gone');
  const { tell, connections, settle, urls, names } = start(['connect', gone(), gone()]);
  await settle();
  tell('elsewhere');
  await settle();
  connections[0]?.end('server');
  await settle();
  expect(names().at(-1)).toBe('waiting');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(urls).toEqual(['first', 'elsewhere', 'first', 'first']);
  expect(names().at(-1)).toBe('connecting');
});

test('a server that sends on whoever comes is asked ever more slowly, and at once after 30 s of peace', async () => {
  const { tell, connections, settle, urls } = start();
  await settle();
  const moveOn = async () => {
    tell('elsewhere');
    await settle();
  };
  const begun = async () => {
    connections.at(-1)?.say('flowing');
    await settle();
  };
  await begun();
  await moveOn();
  expect(urls).toHaveLength(2);
  for (const wait of [1_000, 2_000, 4_000]) {
    await begun();
    const before = urls.length;
    await moveOn();
    await vi.advanceTimersByTimeAsync(wait - 1);
    expect(urls).toHaveLength(before);
    await vi.advanceTimersByTimeAsync(1);
    expect(urls).toHaveLength(before + 1);
  }
  await begun();
  await vi.advanceTimersByTimeAsync(30_000);
  await moveOn();
  expect(urls).toHaveLength(6);
});

test('the old connection that ends while a move waits is followed by a try as ever', async () => {
  const { tell, connections, settle, names, urls } = start();
  await settle();
  tell('elsewhere');
  await settle();
  connections[1]?.say('flowing');
  await settle();
  tell('elsewhere');
  await settle();
  connections[1]?.end('server');
  await settle();
  expect(names().at(-1)).toBe('waiting');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(urls).toEqual(['first', 'elsewhere', 'first']);
});

test('a new connection that ends before it has media does not replace the one that plays', async () => {
  const { tell, connections, shown, settle, names } = start();
  await settle();
  connections[0]?.say('flowing');
  tell('elsewhere');
  await settle();
  connections[1]?.end('lost');
  await settle();
  expect(shown).toEqual([connections[0]]);
  expect(connections[0]?.signal.aborted).toBe(false);
  await vi.advanceTimersByTimeAsync(1_000);
  connections[2]?.say('flowing');
  await settle();
  expect(shown).toEqual([connections[0], connections[2]]);
  expect(connections[2]?.url).toBe('first');
  expect(names()).toEqual(['joining', 'connecting', 'playing']);
});

test('a new connection that is told to go on before it has media does so', async () => {
  const { tell, connections, settle, urls } = start();
  await settle();
  connections[0]?.say('flowing');
  tell('elsewhere');
  await settle();
  tell('further');
  connections[1]?.say('flowing');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(urls).toEqual(['first', 'elsewhere', 'further']);
});
