// One run: a world, its audience, events one after another with quiet in between, and what was measured and found.

import { setTimeout as sleep } from 'node:timers/promises';
import { canMakeHosts } from '#local/hosts.ts';
import type { Seat } from './audiences.ts';
import {
  type Change,
  type Fault,
  isOutage,
  KIND_NAMES,
  KINDS,
  type KindName,
  needsCable,
  type Trees,
} from './events.ts';
import { leftovers, quiet } from './invariants.ts';
import { openScene, type Scene } from './scene.ts';

/** How long events go on, or how many there are: the same ones on a slow machine. */
export type Length = { minutes: number } | { events: number };

export interface ChaosOptions {
  length: Length;
  seed: number;
  /** All where empty. */
  only?: readonly KindName[];
  signal?: AbortSignal;
  /** What happens, a line each. */
  log: (line: string) => void;
}

/** One viewer's share of an event. */
export interface MeasuredGap {
  viewer: string;
  /** Its stream comes through what was hit. */
  concerned: boolean;
  /** Its own node was hit. */
  edgeDied: boolean;
  ms: number;
  /** ms until its stream's only encoder, where the event ended that, was connected again. */
  encoderBack: number | undefined;
  /** False when this process was late itself meanwhile. */
  trusted: boolean;
  lost: number;
  renewed: number;
}

export interface EventResult {
  kind: KindName;
  target: string;
  /** Seconds since the first event. */
  at: number;
  /** ms until the claims showed it. */
  detection: number | undefined;
  /** ms after the event, mended if it was to be, until all was quiet. */
  quietAfter: number;
  gaps: MeasuredGap[];
  /** The longest that an audience's process was late meanwhile, in ms. */
  lag: number;
  broken: string[];
}

export interface ChaosResult {
  seed: number;
  cut: boolean;
  events: EventResult[];
  /** What was wrong before the first event or is left after the last. */
  broken: string[];
}

/** ms for the world to be quiet: an encoder's return, ICE consent of those who left (10 s), an unused stream's end. */
const QUIET = 45_000;
/** ms for everything to be gone after the last has left: ICE consent, and the unused timeout. */
const GONE = 30_000;
/** Between looks at the claims for a change, in ms. */
const CLAIM_LOOK = 50;
/** A player that has seen no picture for so long is stuck, in ms. */
const STUCK = 1_000;
/** A run at least this long has one long registry outage, in minutes. */
const LONG_RUN = 10;
/** Events in a row for which there is nothing to hit: then there never will be. */
const FUTILE = 30;

/**
 * @throws Error when the world cannot be started or no event can happen, AbortError when told to stop; nothing is left
 * running either way.
 */
export async function runChaos({ length, seed, only = [], signal, log }: ChaosOptions): Promise<ChaosResult> {
  const started = performance.now();
  const say = (line: string) =>
    log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
  const kinds = (only.length > 0 ? only : KIND_NAMES).filter((kind) => canMakeHosts() || !needsCable(kind));
  if (kinds.length === 0)
    throw new Error(`not root: there are no cables to pull, and ${only.join(', ')} needs them`);
  const scene = await openScene({ seed, signal: signal ?? new AbortController().signal, log: say });
  try {
    return await play(scene, { length, seed, kinds });
  } finally {
    await scene.close();
  }
}

async function play(
  scene: Scene,
  { length, seed, kinds }: { length: Length; seed: number; kinds: readonly KindName[] },
): Promise<ChaosResult> {
  const { log, audiences, hasCables, random } = scene;
  await Promise.all(audiences.map((audience) => audience.join()));
  await scene.spread();
  const first = await quiet(scene, QUIET);
  const broken = first.broken.map((what) => `before the first event: ${what}`);
  log(first.broken.length > 0 ? `not quiet: ${first.broken.join('; ')}` : 'all play');

  const began = performance.now();
  const events: EventResult[] = [];
  const goesOn = () =>
    'events' in length ? events.length < length.events : performance.now() - began < length.minutes * 60_000;
  let longOutage = 'minutes' in length && length.minutes >= LONG_RUN;
  let bag: KindName[] = [];
  let futile = 0;
  while (goesOn()) {
    if (bag.length === 0) bag = random.shuffled(kinds);
    const kind = bag.shift();
    if (kind === undefined) break;
    const trees = await treesOf(scene);
    const long = longOutage && isOutage(kind);
    const fault: Fault | undefined = await KINDS[kind](scene, trees, { long });
    if (fault === undefined) {
      log(`${kind}: nothing to hit now`);
      futile += 1;
      if (futile >= FUTILE) {
        broken.push(`there was nothing to hit for ${FUTILE} events in a row`);
        break;
      }
      await sleep(1_000, undefined, { signal: scene.signal });
      continue;
    }
    futile = 0;
    if (long) longOutage = false;
    log(`${kind}: ${fault.target}`);
    const result = await happen(scene, { kind, fault, began });
    events.push(result);
    const worst = Math.max(0, ...result.gaps.filter(({ edgeDied }) => !edgeDied).map(({ ms }) => ms));
    log(
      `${kind}: ${result.broken.length > 0 ? `BROKEN: ${result.broken.join('; ')}` : 'quiet'} after ${Math.round(result.quietAfter)} ms; ` +
        `claims ${round(result.detection)} ms, longest gap ${Math.round(worst)} ms`,
    );
    await recover(scene);
  }
  log('all leave');
  await scene.empty();
  broken.push(...(await leftovers(scene, GONE)).map((what) => `after all left: ${what}`));
  for (const what of broken) log(`BROKEN: ${what}`);
  return { seed, cut: hasCables, events, broken };
}

const round = (ms: number | undefined) => (ms === undefined ? '-' : Math.round(ms));

async function treesOf({ streams, tree }: Scene): Promise<Trees> {
  const trees = await Promise.all(streams.map(async (stream) => ({ stream, tree: await tree(stream.name) })));
  return trees.flatMap(({ stream, tree: found }) => (found ? [{ stream, tree: found }] : []));
}

async function happen(
  scene: Scene,
  { kind, fault, began }: { kind: KindName; fault: Fault; began: number },
): Promise<EventResult> {
  const { audiences, seats, streams, signal } = scene;
  const { change, back, lasts } = fault;
  const concerned = new Set(seats.filter(fault.concerns));
  // Theirs is an earlier event's gap, and told there.
  const stuck = new Set(seats.filter(isStuck));
  for (const audience of audiences) audience.lag = 0;
  await Promise.all(audiences.map((audience) => audience.observe(fault.dies)));
  const broken: string[] = [];
  const struckAt = performance.now();
  let detection: number | undefined;
  try {
    await fault.strike();
    const held = sleep(lasts, undefined, { signal });
    // Both are awaited; whichever fails first must not leave the other's failure unheard.
    [detection] = await Promise.all([change && seen(scene, change, struckAt), held]);
  } finally {
    await fault.mend?.();
  }
  const mendedAt = performance.now();
  if (change && detection === undefined) broken.push(`the claims did not show it within ${change.within} ms`);
  if (back && (await seen(scene, back, mendedAt)) === undefined)
    broken.push(`the claims did not go back within ${back.within} ms`);
  const calm = await quiet(scene, QUIET);
  broken.push(...calm.broken);
  const noted = (await Promise.all(audiences.map((audience) => audience.tell()))).flat();
  const gaps = noted.flatMap(({ node, gap, ...rest }, index): MeasuredGap[] => {
    const seat = seats[index];
    if (seat === undefined || stuck.has(seat)) return [];
    const viewer = `viewer of ${seat.stream} in ${seat.region} on ${node ?? 'no node'}`;
    const encoders = streams.find(({ name }) => name === seat.stream)?.encoders ?? [];
    const [{ connectedAt } = { connectedAt: 0 }, backup] = encoders;
    const cameBack = fault.endsEncoders === true && backup === undefined && connectedAt > struckAt;
    const encoderBack = cameBack ? Math.round(connectedAt - struckAt) : undefined;
    return [{ viewer, concerned: concerned.has(seat), ms: Math.round(gap), encoderBack, ...rest }];
  });
  for (const { viewer, edgeDied, lost, renewed } of gaps)
    if (!edgeDied && lost + renewed > 0) broken.push(`a ${viewer} had to make a new session`);
  return {
    kind,
    target: fault.target,
    at: Math.round((struckAt - began) / 100) / 10,
    detection,
    quietAfter: performance.now() - mendedAt,
    gaps,
    lag: Math.round(Math.max(...audiences.map((audience) => audience.lag))),
    broken,
  };
}

const isStuck = ({ pictureAt }: Seat): boolean => performance.now() - pictureAt > STUCK;

/** ms from `since` until the claims show the change, undefined when they do not in time. */
async function seen(
  { map, signal }: Scene,
  { stream, shows, within }: Change,
  since: number,
): Promise<number | undefined> {
  while (performance.now() - since < within) {
    if (shows(await map.read(stream))) return performance.now() - since;
    await sleep(CLAIM_LOOK, undefined, { signal });
  }
  return undefined;
}

/** Viewers that are stuck join anew, and all are on both edges again: so the next event finds the world as the first did. */
async function recover(scene: Scene): Promise<void> {
  const before = await quiet(scene, 0);
  if (before.broken.length > 0) {
    const rejoined = scene.audiences.flatMap((audience) =>
      audience.seats.filter(isStuck).map((seat) => audience.rejoin(seat)),
    );
    await Promise.allSettled(rejoined);
  }
  await scene.spread();
  await quiet(scene, QUIET / 3);
}
