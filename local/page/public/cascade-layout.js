// Where each part of the cascade's picture goes: geometry only. One box per region, side by side or, where that is
// too narrow, one above the other; inside a box each node stands indented below the one that feeds it.
// @ts-check

/** @import { Cascade, CascadeNode } from './control-api.js' */

/**
 * @typedef {object} RegionBox
 * @property {string} id
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 * @property {number} viewers
 * @property {'carries' | 'empty' | 'silent'} state silent: the region did not answer
 */

/**
 * @typedef {object} NodeBox
 * @property {string} key
 * @property {string} region
 * @property {CascadeNode} node
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} depth
 */

/**
 * @typedef {object} LegLine
 * @property {string} key
 * @property {boolean} crossing
 * @property {string} path
 * @property {{ x: number, y: number, anchor: 'start' | 'middle' }} label
 * @property {number} bitrate bits per second
 */

/** @typedef {{ width: number, height: number, regions: RegionBox[], nodes: NodeBox[], legs: LegLine[] }} Layout */

export const NODE_HEIGHT = 46;
export const HEADER = 34;

const GAP = 16;
const PADDING = 12;
const INDENT = 28;
/** Between two nodes: the bitrate of the lower one's leg stands there. */
const ROW_GAP = 26;
/** Rows that a box has room for even when it is empty, so that it does not grow under the reader's eyes. */
const MIN_ROWS = 3;
const MIN_COLUMN = 232;

const LANE = 24;
/** Between a box and the first lane. */
const LANE_MARGIN = 20;
const CORNER = 12;
/** Between boxes that stand one above the other: the bitrate of a crossing leg stands there. */
const STACK_GAP = 34;

/**
 * @param {Cascade | undefined} cascade
 * @param {{ regions: readonly string[], width: number }} options
 * @returns {Layout}
 */
export function layOut(cascade, { regions: ids, width }) {
  const columnWidth = (width - GAP * (ids.length - 1)) / ids.length;
  const stacked = columnWidth < MIN_COLUMN;
  const laneCount = Math.max(1, ids.length - 1);
  const lanes = LANE_MARGIN + LANE * laneCount;

  const filled = ids.map((id) => {
    const answer = cascade?.regions.find(({ region }) => region === id);
    const rows = inRows(id, answer?.nodes ?? []);
    /** @type {RegionBox['state']} */
    const state = cascade && !answer ? 'silent' : rows.length > 0 ? 'carries' : 'empty';
    return { id, rows, state, viewers: rows.reduce((sum, { node }) => sum + node.viewers, 0) };
  });
  const tallest = Math.max(MIN_ROWS, ...filled.map(({ rows }) => rows.length));

  let below = 0;
  /** @type {RegionBox[]} */
  const regions = filled.map(({ id, rows, state, viewers }, index) => {
    const height = boxHeight(stacked ? Math.max(1, rows.length) : tallest);
    const place = stacked
      ? { x: lanes, y: below, width: width - lanes }
      : { x: index * (columnWidth + GAP), y: lanes, width: columnWidth };
    below += height + STACK_GAP;
    return { id, ...place, height, viewers, state };
  });
  const height = stacked ? below - STACK_GAP : lanes + boxHeight(tallest);

  const nodes = filled.flatMap(({ id, rows }, index) => {
    const box = regions[index];
    if (box === undefined) return [];
    return rows.map(({ node, depth }, row) => ({
      key: `${id}/${node.nodeId}`,
      region: id,
      node,
      x: box.x + PADDING + depth * INDENT,
      y: box.y + HEADER + row * (NODE_HEIGHT + ROW_GAP),
      width: box.width - 2 * PADDING - depth * INDENT,
      depth,
    }));
  });

  /** @type {LegLine[]} */
  const legs = [];
  /** @type {Crossing[]} */
  const crossings = [];
  for (const child of nodes) {
    const { parent: name, leg } = child.node;
    const parent = name && nodes.find(({ key }) => key === `${name.region}/${name.nodeId}`);
    if (!parent) continue;
    const bitrate = leg?.bitrate ?? 0;
    if (parent.region === child.region) legs.push(innerLeg(parent, child, bitrate));
    else {
      const distance = ids.indexOf(child.region) - ids.indexOf(parent.region);
      crossings.push({ parent, child, distance, bitrate });
    }
  }
  const draw = stacked ? crossingBeside : crossingAbove;
  for (const crossing of crossings)
    legs.push(draw(crossing, { regions, lanes, columnWidth, ports: ports(crossings, crossing) }));
  return { width, height, regions, nodes, legs };
}

/** @typedef {{ parent: NodeBox, child: NodeBox, distance: number, bitrate: number }} Crossing */

/** @param {number} rows */
const boxHeight = (rows) => HEADER + rows * NODE_HEIGHT + (rows - 1) * ROW_GAP + PADDING;

/**
 * A region's nodes in the order of a tree, each after the one that feeds it.
 * @param {string} region
 * @param {readonly CascadeNode[]} nodes
 * @returns {{ node: CascadeNode, depth: number }[]}
 */
function inRows(region, nodes) {
  const sorted = nodes.toSorted((a, b) => a.nodeId.localeCompare(b.nodeId, 'en', { numeric: true }));
  const known = new Set(sorted.map(({ nodeId }) => nodeId));
  /** @param {CascadeNode} node */
  const feeder = ({ parent }) =>
    parent?.region === region && known.has(parent.nodeId) ? parent.nodeId : undefined;
  /** @type {{ node: CascadeNode, depth: number }[]} */
  const rows = [];
  const placed = new Set();
  /**
   * @param {CascadeNode} node
   * @param {number} depth
   */
  const place = (node, depth) => {
    if (placed.has(node.nodeId)) return;
    placed.add(node.nodeId);
    rows.push({ node, depth });
    for (const child of sorted) if (feeder(child) === node.nodeId) place(child, depth + 1);
  };
  for (const node of sorted) if (feeder(node) === undefined) place(node, 0);
  // Answers of different moments can name each other as parents; they are shown all the same.
  for (const node of sorted) place(node, 0);
  return rows;
}

/**
 * Down from the parent's foot and to the right into the child.
 * @param {NodeBox} parent
 * @param {NodeBox} child
 * @param {number} bitrate
 * @returns {LegLine}
 */
function innerLeg(parent, child, bitrate) {
  const x = parent.x + INDENT / 2;
  const middle = child.y + NODE_HEIGHT / 2;
  return {
    key: `${parent.key}>${child.key}`,
    crossing: false,
    path: `M${x} ${parent.y + NODE_HEIGHT}V${middle - 8}Q${x} ${middle} ${x + 8} ${middle}H${child.x - 1}`,
    label: { x: child.x + 2, y: child.y - 8, anchor: 'start' },
    bitrate,
  };
}

/**
 * Where on its parent a crossing leg begins, so that legs to several regions do not meet: counted from the middle,
 * those to the left on the left; of one side, the farther one nearer to the middle.
 * @param {readonly Crossing[]} all
 * @param {Crossing} one
 */
function ports(all, one) {
  const siblings = all
    .filter(({ parent }) => parent === one.parent)
    .toSorted((a, b) => Math.sign(a.distance) - Math.sign(b.distance) || b.distance - a.distance);
  return { index: siblings.indexOf(one), count: siblings.length };
}

/** @typedef {{ regions: RegionBox[], lanes: number, columnWidth: number, ports: { index: number, count: number } }} Surroundings */

/**
 * Over the boxes that stand side by side: up, along a lane that is higher the farther the leg goes, and down.
 * @param {Crossing} crossing
 * @param {Surroundings} surroundings
 * @returns {LegLine}
 */
function crossingAbove(
  { parent, child, distance, bitrate },
  { lanes, columnWidth, ports: { index, count } },
) {
  const from = parent.x + parent.width / 2 + (index - (count - 1) / 2) * 18;
  const to = child.x + child.width / 2;
  const lane = lanes - LANE_MARGIN - LANE * (Math.abs(distance) - 0.5);
  const side = Math.sign(to - from);
  const path = [
    `M${from} ${parent.y}V${lane + CORNER}`,
    `Q${from} ${lane} ${from + side * CORNER} ${lane}`,
    `H${to - side * CORNER}`,
    `Q${to} ${lane} ${to} ${lane + CORNER}`,
    `V${child.y - 3}`,
  ].join('');
  return {
    key: `${parent.key}>${child.key}`,
    crossing: true,
    path,
    label: { x: to - (side * (columnWidth + GAP)) / 2, y: lane + 4, anchor: 'middle' },
    bitrate,
  };
}

/**
 * Beside the boxes that stand one above the other: out to the left, along a lane, and in again.
 * @param {Crossing} crossing
 * @param {Surroundings} surroundings
 * @returns {LegLine}
 */
function crossingBeside({ parent, child, distance, bitrate }, { regions, lanes, ports: { index, count } }) {
  const from = parent.y + NODE_HEIGHT / 2 + (index - (count - 1) / 2) * 10;
  const to = child.y + NODE_HEIGHT / 2;
  const lane = lanes - LANE_MARGIN - LANE * (Math.abs(distance) - 0.5);
  const side = Math.sign(to - from);
  const path = [
    `M${parent.x} ${from}H${lane + CORNER}`,
    `Q${lane} ${from} ${lane} ${from + side * CORNER}`,
    `V${to - side * CORNER}`,
    `Q${lane} ${to} ${lane + CORNER} ${to}`,
    `H${child.x - 3}`,
  ].join('');
  const box = regions.find(({ id }) => id === child.region);
  const gap = side > 0 ? (box?.y ?? 0) - STACK_GAP / 2 : (box?.y ?? 0) + (box?.height ?? 0) + STACK_GAP / 2;
  return {
    key: `${parent.key}>${child.key}`,
    crossing: true,
    path,
    label: { x: lane + 9, y: gap + 4, anchor: 'start' },
    bitrate,
  };
}
