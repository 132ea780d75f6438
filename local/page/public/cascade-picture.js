// The cascade as a picture: every part is kept and changed in place, so that nothing flickers.
// @ts-check

import { HEADER, layOut, NODE_HEIGHT } from './cascade-layout.js';
import { bitrateText, counted, find, setAttributes, setText, svg } from './dom.js';

/** @import { Cascade, CascadeNode } from './control-api.js' */
/** @import { LegLine, NodeBox, RegionBox } from './cascade-layout.js' */

/** How long a part takes to come and to go, in ms. */
const FADE = 250;

/** Viewers that are drawn one by one. */
const DOTS = 5;
const DOT_STEP = 10;

/** Width of a letter of a node's name, about. */
const LETTER = 7.1;

const ROLES = { origin: 'origin', 'secondary-origin': 'secondary origin', edge: 'edge' };

const EMPTY = {
  carries: '',
  empty: 'does not carry this stream',
  silent: 'does not answer',
};

export class CascadePicture {
  #root = find(document, '#cascade', SVGSVGElement);
  #regions = new Parts(find(document, '#cascade-boxes', SVGGElement), makeRegion, updateRegion);
  #legs = new Parts(find(document, '#cascade-legs', SVGGElement), makeLeg, updateLeg);
  #nodes = new Parts(find(document, '#cascade-nodes', SVGGElement), makeNode, updateNode);
  #ids;
  /** @type {Cascade | undefined} */
  #cascade;
  #width = 0;

  /** @param {readonly string[]} regions */
  constructor(regions) {
    this.#ids = regions;
    new ResizeObserver(() => {
      const { width } = this.#root.getBoundingClientRect();
      if (width === this.#width) return;
      this.#width = width;
      this.#draw();
    }).observe(this.#root);
  }

  /** @param {Cascade | undefined} cascade undefined: not live */
  show(cascade) {
    this.#cascade = cascade;
    this.#draw();
  }

  #draw() {
    if (this.#width === 0) return;
    const { width, height, regions, nodes, legs } = layOut(this.#cascade, {
      regions: this.#ids,
      width: this.#width,
    });
    setAttributes(this.#root, {
      viewBox: `0 0 ${width} ${height}`,
      height,
      'aria-label': inWords(this.#cascade),
    });
    this.#regions.show(regions.map((box) => [box.id, box]));
    this.#legs.show(legs.map((leg) => [leg.key, leg]));
    this.#nodes.show(nodes.map((node) => [node.key, node]));
  }
}

/**
 * Elements of one kind, kept by key.
 * @template Item
 */
class Parts {
  #parent;
  #make;
  #update;
  /** @type {Map<string, SVGGElement>} */
  #elements = new Map();

  /**
   * @param {SVGGElement} parent
   * @param {() => SVGGElement} make
   * @param {(element: SVGGElement, item: Item) => void} update
   */
  constructor(parent, make, update) {
    this.#parent = parent;
    this.#make = make;
    this.#update = update;
  }

  /** @param {[key: string, item: Item][]} items */
  show(items) {
    const wanted = new Map(items);
    for (const [key, element] of this.#elements) {
      if (wanted.has(key)) continue;
      this.#elements.delete(key);
      fade(element, [1, 0]).finally(() => element.remove());
    }
    for (const [key, item] of wanted) {
      const present = this.#elements.get(key);
      const element = present ?? this.#make();
      this.#update(element, item);
      if (present) continue;
      this.#elements.set(key, element);
      this.#parent.append(element);
      fade(element, [0, 1]);
    }
  }
}

/**
 * @param {SVGElement} element
 * @param {[from: number, to: number]} opacity
 * @returns {Promise<unknown>}
 */
function fade(element, opacity) {
  const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
  return element.animate({ opacity }, { duration: still ? 0 : FADE, fill: 'forwards' }).finished;
}

/**
 * By the style, not the attribute: that is what moves smoothly.
 * @param {SVGElement} element
 * @param {number} x
 * @param {number} y
 */
function moveTo(element, x, y) {
  const place = `translate(${x}px, ${y}px)`;
  if (element.style.transform !== place) element.style.transform = place;
}

function makeRegion() {
  const [name, count, note] = ['strong', 'soft', 'soft'].map((style) => svg('text', { class: style, y: 22 }));
  if (!name || !count || !note) throw new Error('unreachable');
  return svg('g', { class: 'region' }, svg('rect', { rx: 10 }), name, count, note);
}

/**
 * @param {SVGGElement} element
 * @param {RegionBox} box
 */
function updateRegion(element, { id, x, y, width, height, viewers, state }) {
  element.classList.toggle('empty', state !== 'carries');
  moveTo(element, x, y);
  setAttributes(find(element, 'rect', SVGRectElement), { width, height });
  const [name, count, note] = element.querySelectorAll('text');
  if (!name || !count || !note) return;
  setAttributes(name, { x: 14 });
  setText(name, id);
  setAttributes(count, { x: width - 14, 'text-anchor': 'end' });
  setText(count, viewers > 0 ? counted(viewers, 'viewer') : '');
  setAttributes(note, { x: width / 2, y: HEADER + (height - HEADER) / 2, 'text-anchor': 'middle' });
  setText(note, EMPTY[state]);
}

function makeNode() {
  return svg(
    'g',
    { class: 'node' },
    svg('title'),
    svg('rect', { class: 'card', height: NODE_HEIGHT, rx: 8 }),
    svg('rect', { class: 'stripe', x: 0, y: 8, width: 4, height: NODE_HEIGHT - 16, rx: 2 }),
    svg('text', { class: 'strong', x: 13, y: 19 }),
    svg('text', { class: 'role', x: 13, y: 36 }),
    svg('g', { class: 'dots' }),
    svg('text', { class: 'soft', y: 36, 'text-anchor': 'end' }),
  );
}

/**
 * @param {SVGGElement} element
 * @param {NodeBox} box
 */
function updateNode(element, { node, x, y, width }) {
  const { nodeId, role, viewers } = node;
  moveTo(element, x, y);
  setAttributes(element, { 'data-role': role });
  setAttributes(find(element, '.card', SVGRectElement), { width });
  setText(find(element, 'title', SVGTitleElement), details(node));
  const [name, roleText, count] = element.querySelectorAll('text');
  if (!name || !roleText || !count) return;
  setText(name, shortened(nodeId, (width - 22) / LETTER));
  setText(roleText, ROLES[role]);

  setAttributes(count, { x: width - 12 });
  setText(count, viewers > 0 ? String(viewers) : '');
  const dots = find(element, '.dots', SVGGElement);
  moveTo(dots, width - 18 - 7.2 * String(viewers).length, 32);
  const wanted = Math.min(viewers, DOTS);
  while (dots.childElementCount > wanted) dots.lastElementChild?.remove();
  while (dots.childElementCount < wanted) {
    const dot = svg('circle', { class: 'dot', r: 3.5, cx: -DOT_STEP * dots.childElementCount });
    dots.append(dot);
    fade(dot, [0, 1]);
  }
}

function makeLeg() {
  return svg('g', { class: 'leg' }, svg('path'), svg('text'));
}

/**
 * @param {SVGGElement} element
 * @param {LegLine} leg
 */
function updateLeg(element, { crossing, path, label, bitrate }) {
  element.classList.toggle('crossing', crossing);
  element.classList.toggle('silent', bitrate === 0);
  setAttributes(find(element, 'path', SVGPathElement), { d: path });
  const text = find(element, 'text', SVGTextElement);
  setAttributes(text, { 'text-anchor': label.anchor });
  moveTo(text, label.x, label.y);
  setText(text, bitrate === 0 ? 'no media' : bitrateText(bitrate));
}

/**
 * @param {string} text
 * @param {number} letters
 */
const shortened = (text, letters) =>
  text.length <= letters ? text : `${text.slice(0, Math.max(1, letters - 1))}…`;

/** @param {CascadeNode} node */
function details({ nodeId, role, viewers, hops, leg, tracks }) {
  const lines = [`${nodeId}: ${ROLES[role]}, ${counted(viewers, 'viewer')}`];
  if (hops > 0) lines.push(`${counted(hops, 'hop')} from the origin`);
  if (leg) lines.push(`${(leg.bytesReceived / 1e6).toFixed(1)} MB received over its leg`);
  for (const { kind, codec, layers } of tracks) {
    const bitrates = layers.map(
      ({ rid, bitrate }) => `${rid === null ? '' : `${rid} `}${bitrateText(bitrate)}`,
    );
    lines.push(`${kind}: ${codec}, ${bitrates.join(', ')}`);
  }
  return lines.join('\n');
}

/**
 * The picture for those who do not see it.
 * @param {Cascade | undefined} cascade
 */
function inWords(cascade) {
  if (cascade === undefined) return 'The stream is not live: no node carries it.';
  const parts = cascade.regions.flatMap(({ region, nodes }) =>
    nodes.map(({ nodeId, role, parent, viewers }) => {
      const from = parent ? ` fed by ${parent.nodeId}` : '';
      return `${nodeId} in ${region}, ${ROLES[role]}${from}, ${counted(viewers, 'viewer')}`;
    }),
  );
  return `The cascade of ${cascade.streamName}: ${parts.join('; ')}.`;
}
