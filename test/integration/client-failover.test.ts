// Meridian's own client when something fails: its network, the node that serves it, the node that it publishes to.

import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canMakeHosts, type Host, Hosts } from '#local/hosts.ts';
import { startWorld, type World } from '#local/world.ts';
import { type Browser, startChromium } from '#test/media/chromium.ts';
import { becomes, callsOf, close, play, publish, shownIn, told } from '#test/media/client-page.ts';
import { usePages } from './pages.ts';
import { useSessions } from './sessions.ts';
import { eventually, newStream, nodesOf, readTree, regionAt, whep, whip } from './support.ts';

const run = promisify(execFile);
const REGION = 'us-east-1';

describe.skipIf(!canMakeHosts())('as root, who can make hosts:', () => {
  let hosts: Hosts;
  let world: World;
  /** Chromium's own. */
  let host: Host;
  let browser: Browser;
  beforeAll(async () => {
    hosts = await Hosts.open();
    world = await startWorld({
      regions: [REGION],
      ports: { page: 0, api: 0, global: 0, dns: 0 },
      restart: false,
      env: { MERIDIAN_CPU_LIMIT: '1' },
      hosts,
    });
    host = await hosts.add();
    const [command = '', ...enter] = host.enter;
    // libwebrtc looks for its own address on the way to the internet.
    await run(command, [...enter, 'ip', 'route', 'add', 'default', 'via', hosts.address]);
    browser = await startChromium({ enter: host.enter, fetched: world.page });
  });
  afterAll(async () => {
    await browser?.close();
    await world?.close();
    await hosts?.close();
  });

  const { open } = usePages(
    () => browser,
    () => `${world.page}/client/index.js`,
  );
  const region = () => regionAt(world, 0);
  const tree = (stream: string) => readTree(stream, region(), world.apiSecret);
  const sessions = useSessions({ publishToken: () => world.publishToken, tree });

  /** A stream from here, and a player of it on the host. */
  async function watched(what: string, mode = 'counter-offer') {
    const stream = newStream(what);
    await sessions.publish(stream, region());
    const page = await open();
    if (mode === 'answer') {
      await page.route('**/whep/**', async (route) => {
        const { prefer: _, ...headers } = route.request().headers();
        await route.continue({ headers });
      });
    }
    await play(page, { url: whep(region(), stream) });
    await becomes(page, 'playing');
    return { stream, page };
  }
  const posts = async (page: Page) => (await callsOf(page)).filter((call) => call.startsWith('POST')).length;
  const goesOn = async (page: Page) => {
    const before = await shownIn(page);
    await eventually(
      () => shownIn(page),
      (shown) => shown > before + 10,
      30_000,
    );
  };

  test.each(['counter-offer', 'answer'])(
    'a network that comes back in time keeps its session (%s), by an ICE restart',
    async (mode) => {
      const { page } = await watched('short-cut', mode);
      // Or the player subscribes to events by a POST, in place of a channel that the cut keeps shut.
      await eventually(
        () => told(page),
        ({ events }) => events.includes('active'),
      );
      const before = await posts(page);
      await host.setCable(false);
      await sleep(4_000);
      await host.setCable(true);
      await goesOn(page);
      await eventually(
        () => callsOf(page),
        (calls) => calls.includes('PATCH 200'),
      );
      await goesOn(page);
      const { states, stats } = await told(page);
      expect(states.at(-1)).toBe('playing');
      expect(states).not.toContain('waiting');
      expect(stats).toMatchObject({ mode });
      expect(await posts(page)).toBe(before);
      await close(page);
      expect((await callsOf(page)).at(-1)).toBe('DELETE 200');
    },
  );

  test('a network that was away for longer than the session lives gets a new one', async () => {
    const { page, stream } = await watched('long-cut');
    const before = await posts(page);
    await host.setCable(false);
    await sleep(12_000);
    await host.setCable(true);
    await goesOn(page);
    expect(await posts(page)).toBeGreaterThan(before);
    // And the one before is gone.
    await eventually(
      async () => nodesOf((await tree(stream)) ?? never(), region()).map(({ viewers }) => viewers),
      (viewers) => viewers.reduce((sum, count) => sum + count, 0) === 1,
    );
  });

  test('a publisher whose node loses its network publishes again when it is back', async () => {
    const stream = newStream('origin-cut');
    const page = await open();
    await publish(page, { url: whip(region(), stream), token: world.publishToken });
    await becomes(page, 'live');
    await eventually(
      () => tree(stream),
      (state) => state?.origin != null,
    );
    const before = await posts(page);
    const origin = world.nodes.find(({ nodeId }) => nodeId === `${REGION}-origin-1`) ?? never();
    await origin.host?.setCable(false);
    await becomes(page, 'waiting', 30_000);
    await origin.host?.setCable(true);
    await becomes(page, 'live', 60_000);
    expect(await posts(page)).toBeGreaterThan(before);
    const viewer = await sessions.watch(stream, region());
    await viewer.watch(5);
  }, 120_000);

  test('a player whose node is killed plays on from another one', async () => {
    const { page, stream } = await watched('killed');
    const serving = async () =>
      nodesOf((await tree(stream)) ?? never(), region()).filter(({ viewers }) => viewers > 0);
    const [first] = await eventually(serving, (nodes) => nodes.length === 1);
    world.nodes.find(({ nodeId }) => nodeId === first?.nodeId)?.child.process.kill('SIGKILL');
    const [second] = await eventually(
      serving,
      (nodes) => nodes.length === 1 && nodes[0]?.nodeId !== first?.nodeId,
      30_000,
    );
    expect(second?.nodeId).not.toBe(first?.nodeId);
    await goesOn(page);
    await becomes(page, 'playing');
  });
});

function never(): never {
  throw new Error('unreachable');
}
