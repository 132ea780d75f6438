// What must hold whenever the world is quiet, whatever happened to it before.

import { setTimeout as sleep } from 'node:timers/promises';
import { isHeld } from '#routing/claims.ts';
import { crossings, nodesOf, type Tree } from '#test/cascade-tree.ts';
import { type ChaosStream, REGIONS, type Scene } from './scene.ts';

/** Between looks, in ms: each asks every node of every region. */
const LOOK = 400;
/** Looks in a row that must find nothing wrong. */
const CALM_LOOKS = 3;
/** A viewer that has seen no picture for so long does not play, in ms. */
const PLAYING = 700;
/** How old a heartbeat may be, in ms: three beats, as for the product. */
const FRESH = 3_000;

export interface Quiet {
  /** ms until the first of the looks that found nothing wrong. */
  after: number;
  /** What was wrong at the last look; empty: quiet. */
  broken: string[];
}

/** Waits until all is as it must be, at most so many ms. */
export async function quiet(scene: Scene, within: number): Promise<Quiet> {
  const started = performance.now();
  let calm = 0;
  let after = 0;
  let broken: string[] = [];
  while (calm < CALM_LOOKS) {
    const looked = performance.now() - started;
    broken = await violations(scene).catch((error: unknown) => [
      `the trees could not be read: ${String(error)}`,
    ]);
    if (broken.length > 0) calm = 0;
    else if (calm++ === 0) after = looked;
    if (calm === 0 && performance.now() - started > within) return { after: looked, broken };
    await sleep(LOOK, undefined, { signal: scene.signal });
  }
  return { after, broken };
}

async function violations(scene: Scene): Promise<string[]> {
  const trees = await Promise.all(
    scene.streams.map(async (stream) => ({ stream, tree: await scene.tree(stream.name) })),
  );
  const wrong = trees.flatMap(({ stream, tree }) =>
    tree === undefined ? [`${stream.name} is not live`] : inTree(scene, stream, tree),
  );
  const now = performance.now();
  for (const { stream, region, node, pictureAt } of scene.seats) {
    const who = `a viewer of ${stream} in ${region}`;
    if (node === undefined) wrong.push(`${who} has not joined`);
    else if (now - pictureAt > PLAYING)
      wrong.push(
        `${who} on ${node} has seen no picture for ${Math.round(now - pictureAt)} ms (${legOf(trees, stream, node)})`,
      );
  }
  for (const { encoders } of scene.streams)
    for (const { name, region } of encoders)
      if (region === undefined) wrong.push(`encoder ${name} is not connected`);
  const alive = (await scene.registered()).filter(
    ({ state, heartbeatAt }) => state === 'SERVING' && Date.now() - heartbeatAt < FRESH,
  );
  for (const { nodeId } of scene.world.nodes)
    if (alive.every((node) => node.nodeId !== nodeId)) wrong.push(`node ${nodeId} does not serve`);
  return wrong;
}

/** For whoever has to find out why: where the node has the stream from, and how much of it. */
function legOf(
  trees: { stream: ChaosStream; tree: Tree | undefined }[],
  name: string,
  nodeId: string,
): string {
  const tree = trees.find(({ stream }) => stream.name === name)?.tree;
  const found = tree?.regions.flatMap(({ nodes }) => nodes).find((node) => node.nodeId === nodeId);
  if (!found) return 'the node has not got it';
  return `the node's leg from ${found.parent?.nodeId ?? 'none'} brings ${found.leg?.bitrate ?? 0} bit/s`;
}

function inTree({ seats }: Scene, { name, encoders: [main] }: ChaosStream, tree: Tree): string[] {
  const wrong: string[] = [];
  const { origin } = tree;
  if (origin === null) wrong.push(`${name} has no active origin`);
  else if (origin.region !== main.region)
    wrong.push(
      `the active origin of ${name} is in ${origin.region}, its first encoder in ${main.region ?? 'none'}`,
    );
  const origins = tree.regions.flatMap(({ nodes }) => nodes.filter(({ role }) => role === 'origin'));
  if (origins.length !== 1 || origins[0]?.nodeId !== origin?.nodeId)
    wrong.push(
      `${name} is fed by ${list(origins.map(({ nodeId }) => nodeId))}, its active origin is ${origin?.nodeId ?? 'none'}`,
    );
  for (const id of REGIONS) {
    const crossing = crossings(tree, { id }).map(({ nodeId }) => nodeId);
    if (crossing.length > 1)
      wrong.push(`${name} crosses into ${id} ${crossing.length} times: ${list(crossing)}`);
    const claimed = tree.regions.find(({ region }) => region === id)?.secondaryOrigin?.nodeId;
    if (claimed !== crossing[0])
      wrong.push(
        `secondary origin of ${name} in ${id}: claimed by ${claimed ?? 'none'}, is ${list(crossing)}`,
      );
    const nodes = nodesOf(tree, { id });
    for (const { nodeId, role, viewers } of nodes) {
      const fed = tree.regions.some((part) => part.nodes.some(({ parent }) => parent?.nodeId === nodeId));
      if (role !== 'origin' && viewers === 0 && !fed) wrong.push(`${nodeId} has ${name} for nobody`);
    }
    for (const nodeId of new Set([...nodes.map((node) => node.nodeId), ...seats.map(({ node }) => node)])) {
      if (nodeId === undefined) continue;
      const here = seats.filter(
        ({ stream, region, node }) => stream === name && region === id && node === nodeId,
      );
      const counted = nodes.find((node) => node.nodeId === nodeId)?.viewers ?? 0;
      if (counted !== here.length)
        wrong.push(`${nodeId} counts ${counted} viewers of ${name} in ${id}, there are ${here.length}`);
    }
  }
  return wrong;
}

const list = (names: readonly string[]): string => names.join(', ') || 'none';

/** After all have left: what is still there at last, when it is not gone within so many ms. */
export async function leftovers(scene: Scene, within: number): Promise<string[]> {
  const deadline = performance.now() + within;
  for (;;) {
    const left = await remains(scene).catch((error: unknown) => [`could not be looked at: ${String(error)}`]);
    if (left.length === 0 || performance.now() > deadline) return left;
    await sleep(LOOK, undefined, { signal: scene.signal });
  }
}

async function remains(scene: Scene): Promise<string[]> {
  const left: string[] = [];
  for (const { name } of scene.streams) {
    if ((await scene.tree(name)) !== undefined) left.push(`${name} is still there`);
    const { origins } = await scene.map.read(name);
    left.push(
      ...origins.filter(isHeld).map(({ nodeId }) => `${nodeId} still has an origin claim of ${name}`),
    );
  }
  for (const node of await scene.registered()) {
    const { nodeId } = node;
    const [{ open }, before] = [await scene.status(node), scene.idle.get(nodeId)];
    for (const what of ['transports', 'routers', 'streams'] as const)
      if (open[what] !== before?.[what])
        left.push(`${nodeId} has ${open[what]} ${what} open, idle it had ${before?.[what]}`);
  }
  return left;
}
