// Meridian's own client in a page of Chromium: started there, and asked from here.

import type { Page } from 'playwright-core';
import type { LayerChoice, PlayerOptions, PlayerStats } from '#client/whep-player.js';
import type { PublisherOptions, PublisherStats } from '#client/whip-publisher.js';

interface InPage {
  /** Its requests in the order of their answers, as `POST 201`. */
  calls: string[];
  states: string[];
  /** The errors' sentences, with the state that told them. */
  errors: string[];
  events: string[];
  stats: PlayerStats | PublisherStats | undefined;
  running: { close(): Promise<void>; retryNow(): void };
}

export type Told = Omit<InPage, 'running'>;

declare global {
  interface Window {
    client: typeof import('#client/index.js');
    meridian: InPage;
  }
}

/** As a page has it that imports the client from where the local page's server has it. */
const IMPORT = `
  import * as client from '/client/index.js';
  window.client = client;
  window.meridian = { calls: [], states: [], errors: [], events: [], stats: undefined };
  // From outside, playwright does not see those that outlive their page.
  const ask = window.fetch;
  window.fetch = async (url, init) => {
    let status = 'failed';
    try {
      const response = await ask(url, init);
      status = response.status;
      return response;
    } finally {
      window.meridian.calls.push(init.method + ' ' + status);
    }
  };`;

async function load(page: Page): Promise<void> {
  await page.addScriptTag({ type: 'module', content: IMPORT });
  await page.waitForFunction(() => 'client' in window);
}

/** What can be handed to a page. */
type Plain<Options> = Omit<Options, 'video' | 'stream' | 'onState' | 'onStats' | 'onEvent' | 'backOff'>;

/** Starts a player with a video element. */
export async function play(page: Page, options: Plain<PlayerOptions>): Promise<void> {
  await load(page);
  await page.evaluate((given) => {
    const video = document.createElement('video');
    Object.assign(video, { autoplay: true, muted: true, playsInline: true });
    document.body.append(video);
    const player = new window.client.WhepPlayer({
      ...given,
      video,
      onState: ({ name, error }) => {
        window.meridian.states.push(name);
        if (error) window.meridian.errors.push(`${name}: ${error.message}`);
      },
      onStats: (stats) => {
        window.meridian.stats = stats;
      },
      onEvent: ({ event }) => window.meridian.events.push(event),
    });
    window.meridian.running = player;
    player.start();
  }, options);
}

/** Publishes the fake camera. @param waits makes each wait the longest that it may be, from so many ms on. */
export async function publish(
  page: Page,
  options: Plain<PublisherOptions>,
  { size = [640, 360], waits }: { size?: [number, number]; waits?: number } = {},
): Promise<void> {
  await load(page);
  await page.evaluate(
    async ({ given, size: [width, height], waits }) => {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width, height }, audio: true });
      const publisher = new window.client.WhipPublisher({
        ...given,
        stream,
        ...(waits === undefined ? {} : { backOff: { first: waits, random: () => 1 } }),
        onState: ({ name, error }) => {
          window.meridian.states.push(name);
          if (error) window.meridian.errors.push(`${name}: ${error.message}`);
        },
        onStats: (stats) => {
          window.meridian.stats = stats;
        },
      });
      window.meridian.running = publisher;
      publisher.start();
    },
    { given: options, size, waits },
  );
}

/** What it has told so far. */
export const told = (page: Page): Promise<Told> =>
  page.evaluate(() => {
    const { running: _, ...rest } = window.meridian;
    return rest;
  });

export const callsOf = async (page: Page): Promise<string[]> => (await told(page)).calls;

export const close = (page: Page): Promise<void> => page.evaluate(() => window.meridian.running.close());

/** @throws Error with what the server said. */
export const setLayer = (page: Page, choice: LayerChoice): Promise<void> =>
  page.evaluate(async (given) => {
    const { running } = window.meridian;
    if (running instanceof window.client.WhepPlayer) await running.setLayer(given);
  }, choice);

/** Pictures that its video element has shown. */
export const shownIn = (page: Page): Promise<number> =>
  page.evaluate(() => document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames ?? 0);

/** Waits for a state. */
export async function becomes(page: Page, name: string, within = 20_000): Promise<Told> {
  const known = await page
    .waitForFunction(
      (wanted) => {
        const { running: _, ...rest } = window.meridian;
        return rest.states.at(-1) === wanted ? rest : undefined;
      },
      name,
      { timeout: within },
    )
    .catch(async (cause: unknown) => {
      throw new Error(`not ${name} within ${within} ms: ${JSON.stringify(await told(page))}`, { cause });
    });
  return (await known.jsonValue()) ?? (await told(page));
}
