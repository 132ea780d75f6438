// One run: so many cases against a world, some at once, and what must hold after each, now and then, and at the end.

import fc from 'fast-check';
import { isHeld } from '#routing/claims.ts';
import { eventually } from '#test/eventually.ts';
import { offerText } from '#test/unit/media-fleet/sdp/offers.ts';
import { attemptFragment, type FragmentCase, fragmentCases } from './fragments.ts';
import { attemptHeaders, type HeadersCase, headersCases } from './headers.ts';
import { Health, type Memory, totals } from './health.ts';
import { attemptOffer, type OfferCase, offerCases } from './offers.ts';
import { attemptPath, type PathCase, pathCases } from './paths.ts';
import { openScene, type Scene } from './scene.ts';
import { openSession } from './sessions.ts';
import { attemptToken, type TokenCase, tokenCases } from './tokens.ts';

/** One attempt on one of the entry points. */
export type FuzzCase =
  | { entry: 'offers'; case: OfferCase }
  | { entry: 'fragments'; case: FragmentCase }
  | { entry: 'headers'; case: HeadersCase }
  | { entry: 'tokens'; case: TokenCase }
  | { entry: 'paths'; case: PathCase };

/** In this share of cases out of twenty. */
const fuzzCases: fc.Arbitrary<FuzzCase> = fc.oneof(
  { weight: 9, arbitrary: offerCases.map((one) => ({ entry: 'offers' as const, case: one })) },
  { weight: 3, arbitrary: fragmentCases.map((one) => ({ entry: 'fragments' as const, case: one })) },
  { weight: 3, arbitrary: headersCases.map((one) => ({ entry: 'headers' as const, case: one })) },
  { weight: 3, arbitrary: tokenCases.map((one) => ({ entry: 'tokens' as const, case: one })) },
  { weight: 2, arbitrary: pathCases.map((one) => ({ entry: 'paths' as const, case: one })) },
);

/** Properties at work at once, each with a seed of its own. */
export const LANES = 8;
/** Cases between two looks at the world. */
const LOOK = 100;
/** The first share of the cases, after which memory is measured for the first time. */
const WARM_UP = 0.1;
/** For what was opened to be gone once all have left, in ms: the world's timings, and a busy machine. */
const QUIET = 40_000;
/** Of the next picture to come, in ms. */
const PICTURE = 20_000;

export interface RunOptions {
  cases: number;
  seed: number;
  /** As fast-check reports it: this one case of the lane with this very seed, and no other. */
  path?: string | undefined;
  lanes?: number;
  signal: AbortSignal;
  log: (line: string) => void;
}

export interface RunResult {
  seed: number;
  /** That were tried. */
  cases: number;
  /** Milliseconds. */
  duration: number;
  /** By entry, by status. */
  counts: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** Milliseconds, by entry. */
  slowest: ReadonlyMap<string, number>;
  /** After the warm-up, and at the end. */
  memory: { before: readonly Memory[]; after: readonly Memory[] };
  /** Pictures that the viewer saw meanwhile. */
  pictures: number;
  /** What did not hold; empty: all did. */
  broken: string[];
}

/** @throws Error when the world cannot be started or was told to stop. */
export async function runFuzz({
  cases,
  seed,
  path,
  lanes = LANES,
  signal,
  log,
}: RunOptions): Promise<RunResult> {
  const scene = await openScene();
  try {
    const health = await Health.of(scene.world);
    try {
      const run = new Run(scene, health, { cases, log });
      return await run.go({ seed, path, lanes, signal });
    } finally {
      health.close();
    }
  } finally {
    await scene.close();
  }
}

class Run {
  readonly #scene: Scene;
  readonly #health: Health;
  readonly #cases: number;
  readonly #log: (line: string) => void;
  readonly #broken: string[] = [];
  readonly #inFlight = new Set<FuzzCase>();
  #tried = 0;
  #before: Memory[] = [];
  /** Something broke that no case after it could be judged by. */
  #over = false;

  constructor(scene: Scene, health: Health, { cases, log }: Pick<RunOptions, 'cases' | 'log'>) {
    this.#scene = scene;
    this.#health = health;
    this.#cases = cases;
    this.#log = log;
  }

  async go({
    seed,
    path,
    lanes,
    signal,
  }: {
    seed: number;
    path: string | undefined;
    lanes: number;
    signal: AbortSignal;
  }): Promise<RunResult> {
    const begun = performance.now();
    const pictures = this.#scene.viewer.decoded();
    const own = Array.from({ length: path === undefined ? lanes : 1 }, (_, lane) => lane);
    await Promise.all(
      own.map((lane) => this.#lane(seed + lane, Math.ceil(this.#cases / own.length), path, signal)),
    );
    signal.throwIfAborted();
    const duration = performance.now() - begun;
    const seen = this.#scene.viewer.decoded() - pictures;
    const after = await this.#health.memory();
    if (!this.#over) await this.#leave();
    const { counts, slowest } = this.#scene.client;
    const memory = { before: this.#before, after };
    return {
      seed,
      cases: this.#tried,
      duration,
      counts,
      slowest,
      memory,
      pictures: seen,
      broken: this.#broken,
    };
  }

  /** One case after another until one fails, which is then made small. */
  async #lane(seed: number, numRuns: number, path: string | undefined, signal: AbortSignal): Promise<void> {
    const property = fc.asyncProperty(fuzzCases, async (fuzzCase) => {
      if (this.#over || signal.aborted) return;
      await this.#attempt(fuzzCase);
      await this.#count();
    });
    const found = await fc.check(property, {
      seed,
      numRuns: path === undefined ? numRuns : 1,
      ...(path === undefined ? {} : { path, endOnFailure: true }),
    });
    if (!found.failed) return;
    const replay = `npm run fuzz -- --seed ${seed} --path ${found.counterexamplePath ?? ''}`;
    const why =
      found.errorInstance instanceof Error ? found.errorInstance.message : String(found.errorInstance);
    this.#broken.push(`${why}\n${fc.defaultReportMessage(found)}\nagain: ${replay}`);
    this.#log(`a case failed (${this.#broken.length}); again: ${replay}`);
  }

  async #attempt(fuzzCase: FuzzCase): Promise<void> {
    this.#inFlight.add(fuzzCase);
    try {
      await attempt(this.#scene, fuzzCase);
    } finally {
      this.#dieTogether();
      this.#inFlight.delete(fuzzCase);
    }
  }

  /** Now and then a look at the world, which holds up the case that comes to it. */
  async #count(): Promise<void> {
    this.#tried += 1;
    const tried = this.#tried;
    if (tried === Math.ceil(this.#cases * WARM_UP)) this.#before = await this.#health.memory();
    if (tried % LOOK === 0) await this.#look(tried);
  }

  /** A process that dies is told with the cases that were at work: one of them it was. */
  #dieTogether(): void {
    if (this.#over) return;
    const dead = this.#health.dead();
    if (dead.length === 0) return;
    this.#over = true;
    const suspects = [...this.#inFlight].map((one) => fc.stringify(one));
    this.#broken.push(`${dead.join(', ')} died; at work were:\n${suspects.join('\n')}`);
  }

  /** Those who do nothing wrong are served throughout. */
  async #look(tried: number): Promise<void> {
    if (this.#over) return;
    const { viewer } = this.#scene;
    try {
      await viewer.watch(1, PICTURE);
      for (const use of ['whip', 'whep'] as const) {
        const session = await openSession(this.#scene, {
          entry: 'valid',
          use,
          region: tried % 3,
          stream: use === 'whip' ? this.#scene.newStream() : this.#scene.stream,
          offer: offerText(use === 'whip' ? 'chromium-publisher' : 'chromium-viewer'),
          statuses: [201],
        });
        await session?.restart();
        await session?.end();
      }
    } catch (error) {
      this.#broken.push(`after ${tried} cases somebody valid is not served: ${String(error)}`);
    }
    if (tried % (LOOK * 10) === 0) {
      const memory = Object.entries(totals(await this.#health.memory()));
      const sums = memory.map(([kind, bytes]) => `${kind}s ${Math.round(bytes / 1e6)} MB`).join(', ');
      this.#log(`${tried} of ${this.#cases} cases; ${sums}`);
    }
  }

  /** Everybody leaves, and nothing is left. */
  async #leave(): Promise<void> {
    this.#broken.push(...(await this.#health.changed()));
    await this.#scene.empty();
    const { map, stream, closedStream } = this.#scene;
    const left = async (): Promise<string[]> => {
      const open = Object.entries(await this.#health.open()).flatMap(([nodeId, counts]) =>
        Object.entries(counts).flatMap(([what, count]) =>
          count === 0 ? [] : [`${nodeId} has ${count} ${what}`],
        ),
      );
      const { origins } = await map.held({ limit: 100 });
      const claims = await Promise.all([stream, closedStream].map((name) => map.read(name)));
      const regions = claims.flatMap((each) => each.regions.filter(isHeld));
      return [
        ...open,
        ...origins.map((claim) => `${claim.nodeId} has an origin claim of ${claim.stream}`),
        ...regions.map((claim) => `${claim.nodeId} has the region claim of ${claim.stream}`),
      ];
    };
    await eventually(left, (what) => what.length === 0, QUIET).catch((error: unknown) => {
      this.#broken.push(`something is left when all have gone: ${String(error)}`);
    });
  }
}

function attempt(scene: Scene, fuzzCase: FuzzCase): Promise<void> {
  switch (fuzzCase.entry) {
    case 'offers':
      return attemptOffer(scene, fuzzCase.case);
    case 'fragments':
      return attemptFragment(scene, fuzzCase.case);
    case 'headers':
      return attemptHeaders(scene, fuzzCase.case);
    case 'tokens':
      return attemptToken(scene, fuzzCase.case);
    case 'paths':
      return attemptPath(scene, fuzzCase.case);
  }
}
