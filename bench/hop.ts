// What each hop of a cascade adds: the delay of the same packets at the origin, one hop on and two, and the CPU of a leg.

import { setTimeout as sleep } from 'node:timers/promises';
import { startWorld, type World } from '#local/world.ts';
import { readTree } from '#test/cascade-tree.ts';
import { eventually } from '#test/eventually.ts';
import { cpuOf } from './kinds.ts';
import { type LoadEvent, load, type Step } from './load.ts';
import { processTree } from './processes.ts';
import type { BenchResult } from './result.ts';
import { median, spread } from './statistics.ts';

const STREAM = 'bench';
const REPEATS = 3;
/** Seconds that all viewers are measured together. */
const SECONDS = 20;
/** Seconds for the last viewer to join after the first. */
const JOINING = 15;
/** ms until functions have seen that a node is full: its heartbeat, and what they remember. */
const SEEN_WITHIN = 1_700;

/**
 * Viewers in the order in which they join. With room for one viewer a node, the publisher's region gives its edges first
 * and then the origin; the other region's first becomes the secondary origin, its second pulls from there.
 */
const SEATS = [
  { region: 0, hops: 1, at: 'edge, publisher’s region' },
  { region: 0, hops: 1, at: 'edge, publisher’s region' },
  { region: 0, hops: 0, at: 'origin' },
  { region: 1, hops: 1, at: 'secondary origin' },
  { region: 1, hops: 2, at: 'edge below it' },
] as const;
const PLACES = [...new Set(SEATS.map(({ at }) => at))];

interface Measured {
  steps: { at: string; step: Step }[];
  /** Of the media worker of each node, its share of a core. */
  cpu: { role: string; share: number }[];
}

export async function run(): Promise<BenchResult> {
  const rows: BenchResult['rows'] = [];
  for (const layers of [1, 3] as const) {
    const repeats: Measured[] = [];
    for (let repeat = 0; repeat < REPEATS; repeat += 1) {
      process.stderr.write(
        `hop: ${layers} ${layers === 1 ? 'layer' : 'layers'}, ${repeat + 1} of ${REPEATS}\n`,
      );
      repeats.push(await measureOnce(layers));
    }
    rows.push(...PLACES.map((at) => row(layers, at, repeats)));
  }
  return {
    rows,
    notes: [
      'Delay: from the publisher’s send to the viewer’s kernel, of the packets of the same seconds. All on one machine: what is between regions comes on top.',
      'CPU: of the node’s media worker, as a share of a core, with one viewer: the origin feeds three legs, the secondary origin one. What a leg out costs is the secondary origin’s less the edge’s below it.',
      'Medians of the repeats; in brackets the smallest and the largest.',
    ],
  };
}

async function measureOnce(layers: 1 | 3): Promise<Measured> {
  const world = await startWorld({
    regions: ['us-east-1', 'eu-west-1'],
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    env: { MERIDIAN_MAX_VIEWERS: '1', MERIDIAN_CPU_LIMIT: '1' },
  });
  const loads: AsyncGenerator<LoadEvent, void>[] = [];
  try {
    const publisher = load({
      whip: `${world.regions[0]?.api}/whip/${STREAM}`,
      token: world.publishToken,
      layers,
      duration: 10 * (JOINING + SECONDS),
    });
    loads.push(publisher);
    await until(publisher, 'published');
    await eventually(
      () => treeOf(world),
      (tree) => tree !== undefined,
    );
    const viewers: typeof loads = [];
    for (const [index, seat] of SEATS.entries()) {
      const viewer = load({
        whep: `${world.regions[seat.region]?.api}/whep/${STREAM}`,
        steps: [1],
        // Those that came first wait for those that come last.
        settle: JOINING - (index * SEEN_WITHIN) / 1_000,
        duration: SECONDS,
      });
      viewers.push(viewer);
      loads.push(viewer);
      await until(viewer, 'joined');
      await sleep(SEEN_WITHIN);
    }
    await rolesAreAsPlanned(world);
    const measuring = Promise.all(viewers.map((viewer) => until(viewer, 'measured')));
    await sleep((JOINING - (SEATS.length * SEEN_WITHIN) / 1_000 + SECONDS / 4) * 1_000);
    const cpu = await cpuByRole(world, SECONDS / 2);
    const results = await measuring;
    return {
      cpu,
      steps: results.flatMap((event, index) =>
        event.event === 'measured' ? [{ at: SEATS[index]?.at ?? '', step: flowing(event.result) }] : [],
      ),
    };
  } finally {
    // The publisher last, or the others would see its end as theirs.
    for (const viewer of loads.reverse()) await viewer.return();
    await world.close();
  }
}

/** Longer than any pause between packets that is not a fault of its own, ms. */
const SILENCE = 1_000;

/** @throws Error when the viewer got nothing for a while: its figures would be those of better times. */
function flowing(step: Step): Step {
  if (step.latencyMs.count === 0 || step.failed + step.silent > 0 || step.longestSilenceMs > SILENCE)
    throw new Error(
      `a viewer got nothing for ${step.longestSilenceMs.toFixed(0)} ms; did the publisher end?`,
    );
  return step;
}

/** Reads a generator's events up to this one. */
async function until(events: AsyncGenerator<LoadEvent, void>, name: LoadEvent['event']): Promise<LoadEvent> {
  for (;;) {
    const { done, value } = await events.next();
    if (done || value === undefined) throw new Error(`the load generator ended before it ${name}`);
    if (value.event === name) return value;
    if (value.event === 'ended') throw new Error(`a viewer ended: ${value.status} ${value.why}`);
  }
}

const treeOf = (world: World) => readTree(STREAM, world.regions[0] ?? { api: '' }, world.apiSecret);

/** @throws Error when a viewer is not where it should be: its figures would be another place's. */
async function rolesAreAsPlanned(world: World): Promise<void> {
  const tree = await treeOf(world);
  const found = (tree?.regions ?? [])
    .flatMap(({ region, nodes }) => nodes.map(({ role, viewers }) => `${region} ${role} ${viewers}`))
    .toSorted();
  const planned = [
    'eu-west-1 edge 1',
    'eu-west-1 secondary-origin 1',
    'us-east-1 edge 1',
    'us-east-1 edge 1',
    'us-east-1 origin 1',
  ];
  if (found.join() !== planned.join())
    throw new Error(`the viewers are not where they should be: ${found.join(', ')}`);
}

async function cpuByRole(world: World, seconds: number): Promise<Measured['cpu']> {
  const tree = await treeOf(world);
  const roles = new Map(
    (tree?.regions ?? []).flatMap(({ region, nodes }) =>
      nodes.map(({ nodeId, role }) => [nodeId, `${region} ${role}`] as const),
    ),
  );
  const look = async () =>
    new Map(
      await Promise.all(
        world.nodes.map(async ({ nodeId, child }) => {
          const processes = await processTree(child.process.pid ?? 0);
          return [nodeId, cpuOf(processes, ['media workers'])] as const;
        }),
      ),
    );
  const [before, started] = [await look(), performance.now()];
  await sleep(seconds * 1_000);
  const [after, elapsed] = [await look(), (performance.now() - started) / 1_000];
  return [...after].flatMap(([nodeId, cpu]) => {
    const role = roles.get(nodeId);
    return role === undefined ? [] : [{ role, share: (cpu - (before.get(nodeId) ?? 0)) / elapsed }];
  });
}

const ROLE_AT: Readonly<Record<string, string>> = {
  origin: 'us-east-1 origin',
  'edge, publisher’s region': 'us-east-1 edge',
  'secondary origin': 'eu-west-1 secondary-origin',
  'edge below it': 'eu-west-1 edge',
};

function row(layers: number, at: string, repeats: readonly Measured[]): BenchResult['rows'][number] {
  const steps = repeats.flatMap((repeat) => repeat.steps.filter((step) => step.at === at));
  const origins = repeats.flatMap((repeat) => repeat.steps.filter((step) => step.at === 'origin'));
  const shares = repeats.flatMap(({ cpu }) => cpu.filter(({ role }) => role === ROLE_AT[at]));
  const delays = (share: 'p50' | 'p99', of = steps) => of.map(({ step }) => step.latencyMs[share]);
  const added = (share: 'p50' | 'p99') => (median(delays(share)) - median(delays(share, origins))).toFixed(2);
  return {
    layers,
    at,
    hops: SEATS.find((seat) => seat.at === at)?.hops ?? 0,
    'delay p50 ms': spread(delays('p50'), 2),
    'delay p99 ms': spread(delays('p99'), 2),
    'more than at the origin, p50, p99 ms': `${added('p50')}, ${added('p99')}`,
    'worker CPU % of a core': spread(
      shares.map(({ share }) => 100 * share),
      1,
    ),
    lost: steps.reduce((sum, { step }) => sum + step.lost, 0),
  };
}
