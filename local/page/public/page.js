// The local page: publish a stream, watch it from any region, and see its cascade change.
// @ts-check

import { CascadePicture } from './cascade-picture.js';
import { ControlApi } from './control-api.js';
import { counted, find, say, sentence, setText } from './dom.js';
import { PublishPanel } from './publish.js';
import { WatchPanel } from './watch.js';

/** @import { Cascade, LiveStream, World } from './control-api.js' */

/** How often the control API is asked, in ms. */
const POLL = 1_000;

/** How long the page's own server may take, in ms. */
const PATIENCE = 5_000;

const failure = find(document, '#failure', HTMLElement);

try {
  start(await readWorld());
} catch (error) {
  failure.hidden = false;
  failure.textContent = `The page could not start: ${sentence(error)}`;
}

/** @returns {Promise<World>} */
async function readWorld() {
  const response = await fetch('/world.json', { signal: AbortSignal.timeout(PATIENCE) });
  if (!response.ok) throw new Error(`/world.json answered ${response.status}`);
  return response.json();
}

/** @param {World} world */
function start(world) {
  const { regions } = world;
  setText(
    find(document, '#world', HTMLElement),
    `Live WebRTC around the world, on this machine: ${counted(regions.length, 'region')}, each with its own API and nodes.`,
  );
  const publishName = find(document, '#publish-stream', HTMLInputElement);
  const api = new ControlApi(world);
  const picture = new CascadePicture(regions.map(({ id }) => id));
  const line = find(document, '#cascade-state', HTMLElement);
  const title = find(document, '#cascade-stream', HTMLElement);
  let stream = new URLSearchParams(location.search).get('stream') ?? publishName.value;
  publishName.value = stream;
  setText(title, stream);

  const watch = new WatchPanel({
    regions,
    stream,
    onStream: (name) => {
      if (name === stream) return;
      stream = name;
      setText(title, stream);
      history.replaceState(null, '', `?stream=${encodeURIComponent(stream)}`);
      picture.show(undefined);
      say(line, line, 'idle', '…');
      poll();
    },
  });
  const publish = new PublishPanel({ world, onPublish: (name) => watch.select(name) });

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let round = 0;
  /** The stream whose cascade is on the page. */
  let shown = '';
  const poll = async () => {
    clearTimeout(timer);
    round += 1;
    const mine = round;
    const asked = stream;
    try {
      const { streams, more } = await api.streams();
      // One that is neither live nor has just been is not asked for: the answer would be a 404.
      const there = more || asked === shown || streams.some(({ streamName }) => streamName === asked);
      const cascade = there ? await api.cascade(asked) : undefined;
      // A newer round began meanwhile: this answer is not the one to show.
      if (mine !== round) return;
      shown = cascade === undefined ? '' : asked;
      listLive(streams, asked, (name) => watch.select(name));
      picture.show(cascade);
      say(line, line, ...summary(cascade, asked));
    } catch (error) {
      if (mine !== round) return;
      say(line, line, 'bad', sentence(error));
    }
    if (document.visibilityState === 'visible') timer = setTimeout(poll, POLL);
  };
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') poll();
    else clearTimeout(timer);
  });
  addEventListener('pagehide', () => {
    publish.stop();
    watch.closeAll();
  });
  poll();
}

/**
 * @param {Cascade | undefined} cascade
 * @param {string} stream
 * @returns {['idle' | 'good' | 'wait', string]}
 */
function summary(cascade, stream) {
  if (cascade === undefined) return ['idle', `${stream} is not live. Publish it to see its cascade.`];
  const { origin, regions } = cascade;
  const nodes = regions.flatMap(({ region, nodes }) => nodes.map((node) => ({ region, ...node })));
  const viewers = nodes.reduce((sum, node) => sum + node.viewers, 0);
  const crossing = nodes.filter(({ region, parent }) => parent !== null && parent.region !== region).length;
  if (origin === null) {
    return [
      'wait',
      `Its publisher is gone; ${counted(viewers, 'viewer')} ${viewers === 1 ? 'waits' : 'wait'} a moment for it to come back.`,
    ];
  }
  const parts = [
    `Live from ${origin.region} for ${since(origin.startedAt)}`,
    `epoch ${origin.epoch}`,
    `${counted(crossing, 'crossing leg')}`,
    counted(viewers, 'viewer'),
  ];
  return ['good', parts.join(' · ')];
}

/** @param {string} startedAt */
function since(startedAt) {
  const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(startedAt)) / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const clock = `${String(minutes).padStart(hours > 0 ? 2 : 1, '0')}:${String(seconds % 60).padStart(2, '0')}`;
  return hours > 0 ? `${hours}:${clock}` : clock;
}

/**
 * @param {readonly LiveStream[]} streams
 * @param {string} selected
 * @param {(stream: string) => void} onPick
 */
function listLive(streams, selected, onPick) {
  const list = find(document, '#live', HTMLUListElement);
  find(document, '#live-hint', HTMLElement).hidden = streams.length > 0;
  const present = new Map([...list.children].map((item) => [item.getAttribute('data-stream'), item]));
  const items = streams.map(({ streamName, origin }) => {
    const item = present.get(streamName) ?? liveItem(streamName, onPick);
    find(item, 'button', HTMLButtonElement).setAttribute('aria-pressed', String(streamName === selected));
    setText(find(item, '.where', HTMLElement), origin?.region ?? '');
    return item;
  });
  // Only when it changed: the focus stays on a button that stays.
  if (items.length !== list.children.length || items.some((item, index) => item !== list.children[index])) {
    list.replaceChildren(...items);
  }
}

/**
 * @param {string} stream
 * @param {(stream: string) => void} onPick
 */
function liveItem(stream, onPick) {
  const item = document.createElement('li');
  item.setAttribute('data-stream', stream);
  const button = document.createElement('button');
  button.type = 'button';
  const name = document.createElement('b');
  name.textContent = stream;
  const where = document.createElement('span');
  where.className = 'where';
  button.append(name, where);
  button.addEventListener('click', () => onPick(stream));
  item.append(button);
  return item;
}
