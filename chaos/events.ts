// The kinds of events: what each hits, how it is mended, and what the claims must show of it.

import type { DatabaseState } from '#local/database-front.ts';
import { childrenOf } from '#media-fleet/process-stat.ts';
import { activeOrigin, regionClaimOf, type StreamClaims } from '#routing/claims.ts';
import { crossings, type Tree } from '#test/cascade-tree.ts';
import type { Seat } from './audiences.ts';
import { type ChaosStream, REGIONS, type Scene } from './scene.ts';

/** A stream's claims must come to show something. */
export interface Change {
  stream: string;
  /** Of the claims. */
  shows: (claims: StreamClaims) => boolean;
  /** ms; later counts as never. */
  within: number;
}

/** One event, ready to happen. */
export interface Fault {
  /** What is hit, for people. */
  target: string;
  /** The node whose own viewers lose their sessions. */
  dies?: string;
  /** Whether the event stands between the player on this seat and its stream's encoder. */
  concerns: (seat: Seat) => boolean;
  strike: () => Promise<void>;
  /** What the claims must show of it. */
  change?: Change;
  /** ms from the strike until it is mended. */
  lasts: number;
  mend?: () => Promise<void>;
  /** What the claims must show once it is mended. */
  back?: Change;
  /** Encoders that lose their node by it have to come back for their viewers to see anything. */
  endsEncoders?: boolean;
}

export type Trees = readonly { stream: ChaosStream; tree: Tree }[];

/** Makes one of its kind ready, or nothing when there is nothing to hit now. */
type Prepare = (scene: Scene, trees: Trees, options: { long: boolean }) => Promise<Fault | undefined>;

/** ms. */
const FREEZE = 8_000;
const AWAY = 8_000;
const CONTROL = 20_000;
/** For a role to change hands, ms: a node counts as dead after 3 s, and an encoder of another region has to come back. */
const ROLE_CHANGE = 8_000;
/** libwebrtc notices after 5 s at the least that nobody answers, and an encoder may be refused at first. */
const ENCODER_CHANGE = 20_000;
/** For the stream to go back to its first encoder, ms. */
const FAILBACK = 10_000;
const OUTAGE = { least: 10_000, most: 20_000, long: 180_000 };
const SLOW = { least: 400, most: 2_500 };

export const KINDS = {
  nothing: async () => ({
    target: 'nothing',
    concerns: () => true,
    strike: async () => undefined,
    lasts: CONTROL,
  }),
  'secondary-killed': async (scene, trees) =>
    hitSecondary(scene, trees, (nodeId) => ({
      strike: async () => void scene.node(nodeId).child.process.kill('SIGKILL'),
      lasts: 0,
    })),
  'secondary-frozen': async (scene, trees) =>
    hitSecondary(scene, trees, (nodeId) => {
      // Its workers too: a machine that hangs hangs whole. They are in the process group of their node.
      const { pid } = scene.node(nodeId).child.process;
      return {
        strike: async () => signalGroup(pid, 'SIGSTOP'),
        lasts: FREEZE,
        mend: async () => signalGroup(pid, 'SIGCONT'),
      };
    }),
  'secondary-cut': async (scene, trees) =>
    hitSecondary(scene, trees, (nodeId) => ({
      strike: async () => scene.node(nodeId).host?.setCable(false),
      lasts: AWAY,
      mend: async () => scene.node(nodeId).host?.setCable(true),
    })),
  'edge-killed': async (scene, trees) => {
    const edges = nodesIn(trees).filter(({ role, viewers }) => role === 'edge' && viewers > 0);
    const edge = scene.random.pick(edges);
    return edge && killNode(scene, trees, edge.nodeId);
  },
  'origin-killed': async (scene, trees) => {
    const found = scene.random.pick(trees.filter(isPlain));
    const origin = found?.tree.origin;
    if (!found || !origin) return undefined;
    return {
      ...(await killNode(scene, trees, origin.nodeId)),
      target: `${origin.nodeId}, origin of ${found.stream.name}`,
      change: await newOrigin(scene, found.stream, ENCODER_CHANGE),
    };
  },
  'publisher-moved': async (scene, trees) => {
    const found = scene.random.pick(trees.filter(isPlain));
    if (!found) return undefined;
    const { stream } = found;
    const [encoder] = stream.encoders;
    const to = scene.random.pick(encoder.places.filter(({ region }) => region !== encoder.region));
    const how = scene.random.pick(['delete', 'take-over'] as const);
    if (!to || !how) return undefined;
    return {
      target: `${stream.name} from ${encoder.region} to ${to.region}, ${how}`,
      concerns: (seat) => seat.stream === stream.name,
      strike: async () => encoder.tell({ do: 'move', to, how }),
      change: {
        stream: stream.name,
        shows: (claims) => activeOrigin(claims)?.region === to.region,
        within: ROLE_CHANGE,
      },
      lasts: 0,
      // Taken over, its viewers see the old place until the new one sends.
      endsEncoders: how === 'delete',
    };
  },
  'redundant-silent': async (scene) =>
    hitMain(scene, ([main]) => ({
      target: `${main.name} sends nothing`,
      strike: async () => main.tell({ do: 'silence', silent: true }),
      mend: async () => main.tell({ do: 'silence', silent: false }),
    })),
  'redundant-killed': async (scene) =>
    hitMain(scene, ([main]) => ({
      target: `${main.name} dies without a word`,
      strike: async () => main.kill(AWAY),
    })),
  'redundant-origin-killed': async (scene, trees) => {
    const found = trees.find((each) => !isPlain(each));
    const origin = found?.tree.origin;
    if (!found || !origin) return undefined;
    return {
      ...(await killNode(scene, trees, origin.nodeId)),
      target: `${origin.nodeId}, origin of ${found.stream.name}`,
      // The node may be the origin of others, too, whose viewers wait for their encoders.
      concerns: (seat) => seat.stream === found.stream.name,
      change: await newOrigin(scene, found.stream, ROLE_CHANGE),
    };
  },
  'worker-killed': async (scene, trees) => {
    const node = scene.random.pick(nodesIn(trees));
    if (!node) return undefined;
    const { nodeId } = node;
    const [worker] = childrenOf(scene.node(nodeId).child.process.pid);
    if (worker === undefined) return undefined;
    return {
      target: `the worker of ${nodeId}`,
      dies: nodeId,
      concerns: below(trees, nodeId),
      strike: async () => void process.kill(worker, 'SIGKILL'),
      lasts: 0,
      endsEncoders: true,
    };
  },
  'registry-slow': async (scene, _trees, options) =>
    outage(scene, { is: 'slow', by: scene.random.integer(SLOW.least, SLOW.most) }, options),
  'registry-erring': async (scene, _trees, options) => outage(scene, { is: 'erring' }, options),
  'registry-gone': async (scene, _trees, options) => outage(scene, { is: 'gone' }, options),
} satisfies Record<string, Prepare>;

export type KindName = keyof typeof KINDS;
export const KIND_NAMES = Object.keys(KINDS).filter(isKind);

export function isKind(name: string): name is KindName {
  return Object.hasOwn(KINDS, name);
}

/** Pulling a cable needs one. */
export const needsCable = (kind: KindName): boolean => kind === 'secondary-cut';
export const isOutage = (kind: KindName): boolean => kind.startsWith('registry-');

const isPlain = ({ stream }: Trees[number]): boolean => stream.encoders.length === 1;

const nodesIn = (trees: Trees) => trees.flatMap(({ tree }) => tree.regions.flatMap(({ nodes }) => nodes));

/** A secondary origin of any stream in any region. */
function hitSecondary(
  { random }: Scene,
  trees: Trees,
  how: (nodeId: string) => Pick<Fault, 'strike' | 'lasts' | 'mend'>,
): Fault | undefined {
  const all = trees.flatMap(({ stream, tree }) =>
    REGIONS.flatMap((region) =>
      crossings(tree, { id: region }).map(({ nodeId }) => ({ stream: stream.name, region, nodeId })),
    ),
  );
  const found = random.pick(all);
  if (!found) return undefined;
  const { stream, region, nodeId } = found;
  return {
    target: `${nodeId}, secondary origin of ${stream}`,
    dies: nodeId,
    concerns: below(trees, nodeId),
    change: {
      stream,
      shows: (claims) => regionClaimOf(claims, region)?.nodeId !== nodeId,
      within: ROLE_CHANGE,
    },
    ...how(nodeId),
  };
}

async function killNode({ node }: Scene, trees: Trees, nodeId: string): Promise<Fault> {
  return {
    target: nodeId,
    dies: nodeId,
    concerns: below(trees, nodeId),
    strike: async () => void node(nodeId).child.process.kill('SIGKILL'),
    lasts: 0,
    endsEncoders: true,
  };
}

/** The redundant stream loses its first encoder for a while: the other one takes over, and gives back. */
function hitMain(
  { streams }: Scene,
  how: (encoders: ChaosStream['encoders']) => Pick<Fault, 'target' | 'strike' | 'mend'>,
): Fault | undefined {
  const stream = streams.find(({ encoders }) => encoders.length > 1);
  if (!stream) return undefined;
  const { name, encoders } = stream;
  const [main, backup] = encoders;
  const isIn = (encoder: typeof backup) => (claims: StreamClaims) =>
    encoder?.region !== undefined && activeOrigin(claims)?.region === encoder.region;
  return {
    concerns: (seat) => seat.stream === name,
    change: { stream: name, shows: isIn(backup), within: AWAY },
    lasts: AWAY,
    back: { stream: name, shows: isIn(main), within: FAILBACK },
    ...how(encoders),
  };
}

function outage({ front, random }: Scene, state: DatabaseState, { long }: { long: boolean }): Fault {
  return {
    target: state.is === 'slow' ? `the registry answers ${state.by} ms late` : `the registry is ${state.is}`,
    concerns: () => true,
    strike: () => front.set(state),
    lasts: long ? OUTAGE.long : random.integer(OUTAGE.least, OUTAGE.most),
    mend: () => front.set({ is: 'well' }),
  };
}

/** The stream has another origin than now, be it the same node again. */
async function newOrigin({ map }: Scene, { name }: ChaosStream, within: number): Promise<Change> {
  const before = activeOrigin(await map.read(name))?.epoch;
  return {
    stream: name,
    shows: (claims) => {
      const now = activeOrigin(claims)?.epoch;
      return now !== undefined && now !== before;
    },
    within,
  };
}

/** Whose stream comes through the node. */
function below(trees: Trees, nodeId: string): (seat: Seat) => boolean {
  const fed = new Map(trees.map(({ stream, tree }) => [stream.name, fedBy(tree, nodeId)]));
  return ({ stream, node }) => node !== undefined && fed.get(stream)?.has(node) === true;
}

function fedBy(tree: Tree, nodeId: string): Set<string> {
  const nodes = tree.regions.flatMap((part) => part.nodes);
  const fed = new Set([nodeId]);
  if (nodes.every((node) => node.nodeId !== nodeId)) return new Set();
  // Sets go on to what is added while they are gone through.
  for (const parent of fed)
    for (const node of nodes) if (node.parent?.nodeId === parent) fed.add(node.nodeId);
  return fed;
}

function signalGroup(pid: number | undefined, signal: 'SIGSTOP' | 'SIGCONT'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended meanwhile.
  }
}
