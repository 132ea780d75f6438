// The nodes that a stream is fed to: who gets a leg, which leg replaces which, and what all of them are told.

import { EventEmitter } from 'node:events';
import { type AskedLeg, isOvertaken, placeOf } from '#routing/leg-places.ts';
import type { LegAnswer, LegRequest } from '#routing/node-messages.ts';
import { Problem, unavailable } from '#routing/problem.ts';
import type { Timing } from '#routing/timing.ts';
import { ChildLeg } from './child-leg.ts';
import type { FedHub } from './source.ts';
import type { Workers } from './workers.ts';

export interface ChildrenOptions {
  stream: FedHub;
  /** Legs of the stream that this node feeds. */
  maxChildren: number;
  workers: Workers;
  timing: Timing;
}

/** From when a request came until its leg is closed. */
interface Asked extends AskedLeg {
  readonly place: string;
  leg: ChildLeg | undefined;
}

/** Emits `usage` when the viewers below change. */
export class Children extends EventEmitter<{ usage: [] }> {
  readonly #options: ChildrenOptions;
  readonly #asked = new Set<Asked>();
  readonly #answers = new Map<string, Promise<LegAnswer>>();
  #requests = 0;

  constructor(options: ChildrenOptions) {
    super();
    this.#options = options;
  }

  get legs(): ChildLeg[] {
    return [...this.#asked].flatMap(({ leg }) => leg ?? []);
  }

  /** Viewers at the children and below them, as they last said. */
  get viewers(): number {
    return this.legs.reduce((sum, leg) => sum + leg.viewers, 0);
  }

  /**
   * Feeds a child. The same request again gets the same answer.
   * @throws Problem 410 without a source, 503 when this node has its children and none of them can be named.
   */
  feed(request: LegRequest): Promise<LegAnswer> {
    const known = this.#answers.get(request.requestId);
    if (known) return known;
    const answer = this.#feed(request);
    this.#answers.set(request.requestId, answer);
    const forget = () => this.#answers.delete(request.requestId);
    answer.then(({ result }) => result === 'accepted' || forget(), forget);
    return answer;
  }

  async #feed(request: LegRequest): Promise<LegAnswer> {
    const { stream, maxChildren, workers, timing } = this.#options;
    const { self, source } = stream;
    if (source === undefined) throw notHere(stream);
    if (request.nodeId === self.nodeId || source.path.includes(request.nodeId)) {
      return stale('the child is above this node: the leg would close a loop');
    }
    this.#requests += 1;
    const asked: Asked = {
      request,
      place: placeOf(request, self.region),
      order: this.#requests,
      leg: undefined,
    };
    if (isOvertaken(asked, [...this.#asked], self.region))
      return stale(`region ${request.region} has asked with a newer epoch`);
    const others = [...this.#asked].filter(({ place }) => place !== asked.place);
    if (new Set(others.map(({ place }) => place)).size >= maxChildren) return this.#elsewhere(request);

    // From now on it counts: the next request is judged before this one's leg is made.
    this.#asked.add(asked);
    let leg: ChildLeg | undefined;
    try {
      leg = await ChildLeg.open({ stream, request, workers, timing });
      if (stream.closed || stream.source !== source) {
        return stale('the stream’s source changed while the leg was being made');
      }
      if (isOvertaken(asked, [...this.#asked], self.region))
        return stale('a newer request came while the leg was being made');
      asked.leg = leg;
    } catch (error) {
      // What it was made of went away meanwhile: no fault of anybody's.
      if (stream.closed || stream.source !== source)
        return stale('the stream’s source went while the leg was being made');
      throw error;
    } finally {
      if (asked.leg === undefined) {
        this.#asked.delete(asked);
        leg?.close();
      }
    }
    for (const other of this.#asked) {
      if (other !== asked && other.place === asked.place) other.leg?.close();
    }
    leg.on('usage', () => this.emit('usage'));
    leg.once('close', () => {
      this.#asked.delete(asked);
      this.#answers.delete(request.requestId);
      this.emit('usage');
    });
    this.emit('usage');
    return leg.answer;
  }

  /** Children of this region that have the stream, to be asked instead: so a region grows a tree. */
  #elsewhere(request: LegRequest): LegAnswer {
    const { self, name } = this.#options.stream;
    const nodeIds = this.legs
      .filter(({ child, heard }) => heard && child.region === self.region && child.nodeId !== request.nodeId)
      .map(({ child }) => child.nodeId);
    if (nodeIds.length > 0) return { v: 1, result: 'elsewhere', nodeIds };
    const detail = `node ${self.nodeId} feeds ${this.#options.maxChildren} legs of ${name} already`;
    throw unavailable('no-room', detail);
  }

  /** The children have been told to go: a leg that its child does not leave is closed before long. */
  retire(): void {
    for (const leg of this.legs) leg.retire();
  }

  close(): void {
    for (const leg of this.legs) leg.close();
  }
}

const stale = (reason: string): LegAnswer => ({ v: 1, result: 'stale', reason });

export const notHere = ({ self, name }: Pick<FedHub, 'self' | 'name'>): Problem =>
  new Problem(410, 'stream-not-here', `node ${self.nodeId} does not have ${name}`);
