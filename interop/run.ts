// One run: a local world, every publisher with every form of video that it has, and every viewer of each.

import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { startWorld, type World } from '#local/world.ts';
import { readTree } from '#test/cascade-tree.ts';
import { ClientProcess } from './child.ts';
import { type Client, OBS } from './clients.ts';
import {
  type About,
  codecOf,
  type Form,
  type Message,
  type Sending,
  type Taken,
  type Watching,
} from './messages.ts';
import { describe } from './report.ts';

export interface InteropOptions {
  clients: readonly Client[];
  /** Ids of those that publish and of those that view; all where empty. */
  publishers: readonly string[];
  viewers: readonly string[];
  /** All where empty. */
  forms: readonly Form[];
  signal: AbortSignal;
  log: (line: string) => void;
}

/** One viewer of one publication, or why there was none. */
export interface Cell {
  publisher: string;
  form: Form;
  viewer: string;
  result: 'PASS' | 'FAIL' | 'SKIP';
  /** '' for PASS. */
  why: string;
  seen: Omit<Watching, 'is'> | undefined;
}

export interface InteropResult {
  clients: readonly { id: string; about: About | undefined; missing: string }[];
  cells: readonly Cell[];
  /** Why OBS Studio's recorded offer was not answered as its library wants; '' when it was, undefined when it was not tried. */
  obs: string | undefined;
}

/** A cell is decoded when so many pictures are, which is a second of every publisher's. */
export const PICTURES = 30;
/** ms for a client to say what it is: pion is compiled first, and Go compiles its standard library with it. */
const ABOUT = 300_000;
/** ms for a publisher's first packet, and for a viewer's pictures, a busy machine's start of a browser included. */
const START = 45_000;
/** Viewers at once. */
const AT_ONCE = 2;
/** ms for simulcast's top layer to come: browsers raise their estimate by and by. */
const LAYERS = 20_000;

/** @throws Error when the world cannot be started, AbortError when told to stop; nothing is left running either way. */
export async function runInterop(options: InteropOptions): Promise<InteropResult> {
  const { signal, log } = options;
  const clients = [];
  for (const client of options.clients) {
    signal.throwIfAborted();
    const what = await aboutOf(client, signal);
    clients.push({ id: client.id, ...what });
    log(what.about ? `${client.id}: ${what.about.version}` : `${client.id}: SKIP, ${what.missing}`);
  }
  // Of this machine, but not loopback, where Firefox and werift send no media.
  const address = Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4')?.address;
  const world = await startWorld({
    regions: ['us-east-1', 'eu-west-1'],
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    ...(address === undefined ? {} : { nodeAddress: address }),
    // The clients share the machine with the nodes, which must not refuse for want of a core.
    env: { MERIDIAN_CPU_LIMIT: '1' },
  });
  try {
    const cells: Cell[] = [];
    for (const { id, about } of clients) {
      if (!about || !isIn(options.publishers, id)) continue;
      for (const form of about.publishes) {
        if (!isIn(options.forms, form)) continue;
        const viewers = clients.filter((viewer) => isIn(options.viewers, viewer.id));
        cells.push(...(await publication(world, { ...options, publisher: id, form, viewers })));
      }
    }
    const obs = options.publishers.length === 0 ? await replayObs(world, options) : undefined;
    return { clients, cells, obs };
  } finally {
    await world.close();
  }
}

interface Publication extends Omit<InteropOptions, 'viewers'> {
  publisher: string;
  form: Form;
  viewers: InteropResult['clients'];
}

/** Published in one region, viewed in the other. */
async function publication(world: World, options: Publication): Promise<Cell[]> {
  const { publisher, form, viewers, clients, signal, log } = options;
  const [near, far] = world.regions;
  const client = clients.find(({ id }) => id === publisher);
  if (!near || !far || !client) throw new Error('the world or the client is not there');
  const stream = `${publisher}-${form}`.replaceAll(' ', '-');
  const codec = codecOf(form);
  const able = viewers.filter(({ about }) => about?.views.includes(codec));
  if (able.length === 0) return [];
  log(`${publisher} publishes ${form}`);
  const cell = (viewer: string, rest: Omit<Cell, 'publisher' | 'form' | 'viewer'>): Cell => {
    log(`  ${viewer.padEnd(16)} ${rest.result} ${rest.why || describe(rest.seen)}`);
    return { publisher, form, viewer, ...rest };
  };
  const args = ['publish', `${near.api}/whip/${stream}`, world.publishToken, form];
  try {
    return await withClient(client, args, signal, async (source) => {
      await source.until(isSending, START);
      await live(world, { stream, form, signal });
      const cells: Cell[] = [];
      const waiting = [...able];
      const lane = async () => {
        for (let next = waiting.shift(); next; next = waiting.shift()) {
          const viewer = clients.find(({ id }) => id === next?.id);
          if (!viewer) continue;
          const seen = await view(viewer, [`${far.api}/whep/${stream}`, codec], signal);
          cells.push(
            cell(
              viewer.id,
              source.hasEnded ? { ...seen, why: `${seen.why}; the publisher ended, ${source.ending}` } : seen,
            ),
          );
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, lane));
      return able.flatMap(({ id }) => cells.filter(({ viewer }) => viewer === id));
    });
  } catch (error) {
    signal.throwIfAborted();
    const why = `the publisher: ${messageOf(error)}`;
    return able.map(({ id }) => cell(id, { result: 'FAIL', why, seen: undefined }));
  }
}

async function view(
  client: Client,
  args: readonly string[],
  signal: AbortSignal,
): Promise<Pick<Cell, 'result' | 'why' | 'seen'>> {
  return withClient(client, ['view', ...args], signal, async (viewer) => {
    try {
      return { result: 'PASS', why: '', seen: await viewer.until(isPlaying, START) };
    } catch (error) {
      signal.throwIfAborted();
      const { last } = viewer;
      return { result: 'FAIL', why: messageOf(error), seen: last?.is === 'watching' ? last : undefined };
    }
  });
}

async function replayObs({ regions: [near], publishToken }: World, { signal, log }: InteropOptions) {
  const args = ['replay', `${near?.api}/whip/obs`, publishToken];
  const why = await withClient(OBS, args, signal, async (replay) => {
    try {
      await replay.until(isTaken, START);
      return '';
    } catch (error) {
      signal.throwIfAborted();
      return messageOf(error);
    }
  });
  log(`obs: ${why || 'PASS'}`);
  return why;
}

async function aboutOf(
  client: Client,
  signal: AbortSignal,
): Promise<{ about: About | undefined; missing: string }> {
  return withClient(client, ['about'], signal, async (asked) => {
    try {
      return { about: await asked.until(isAbout, ABOUT), missing: '' };
    } catch (error) {
      signal.throwIfAborted();
      return { about: undefined, missing: messageOf(error) };
    }
  });
}

/** Gives the task a client's process, which is gone afterwards whatever happens. */
async function withClient<Result>(
  client: Client,
  args: readonly string[],
  signal: AbortSignal,
  task: (running: ClientProcess) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  const running = new ClientProcess(client, args);
  const stop = () => void running.stop();
  signal.addEventListener('abort', stop);
  try {
    return await task(running);
  } finally {
    signal.removeEventListener('abort', stop);
    await running.stop();
  }
}

/** Until the stream can be played, as the form says: its codec, and of simulcast all three layers. */
async function live(
  { regions: [near], apiSecret }: World,
  { stream, form, signal }: { stream: string; form: Form; signal: AbortSignal },
): Promise<void> {
  if (!near) throw new Error('the world has no region');
  const layers = form === 'VP8 simulcast' ? 3 : 1;
  const deadline = performance.now() + LAYERS;
  for (;;) {
    const tree = await readTree(stream, near, apiSecret);
    const tracks = tree?.regions.flatMap(({ nodes }) => nodes.flatMap((node) => node.tracks)) ?? [];
    const video = tracks.find(({ kind }) => kind === 'video');
    if (video && video.codec !== `video/${codecOf(form)}`) throw new Error(`it publishes ${video.codec}`);
    const flowing = video?.layers.filter(({ packets }) => packets > 0).length ?? 0;
    if (tree?.origin && flowing >= layers) return;
    if (performance.now() > deadline)
      throw new Error(`${flowing} of ${layers} layers of video have come within ${LAYERS / 1000} s`);
    await sleep(100, undefined, { signal });
  }
}

const isIn = <Name extends string>(chosen: readonly Name[], name: Name) =>
  chosen.length === 0 || chosen.includes(name);
const isAbout = (what: Message): what is About => what.is === 'about';
const isSending = (what: Message): what is Sending => what.is === 'sending' && what.packets > 0;
const isTaken = (what: Message): what is Taken => what.is === 'taken';
const isPlaying = (what: Message): what is Watching => what.is === 'watching' && what.decoded >= PICTURES;
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
