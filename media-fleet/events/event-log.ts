// What there is to hear of a stream: the newest of each kind, numbered, and no more often than is of use to anybody.

import { EventEmitter } from 'node:events';
import type { LayerReport } from '../layers/layer-report.ts';

/** An event as the stream has it: `layers` still lacks the section's name, which is each viewer's own. */
export type StreamEvent = { id: number } & (
  | { event: 'active' | 'inactive'; data: Record<string, never> }
  | { event: 'viewercount'; data: { viewercount: number } }
  | { event: 'layers'; data: LayerReport }
);

/** Milliseconds between two viewer counts: more often only costs, for nobody reads faster. */
const COUNT_INTERVAL = 2_000;

/** Milliseconds between two reports of layers. */
const LAYERS_INTERVAL = 1_000;

/**
 * Milliseconds without media until viewers are told: a leg changes hands in 0.3 to 0.6 s (docs/architecture.md), which is
 * no news to them.
 */
const INACTIVE_AFTER = 1_000;

/** The share by which a layer's bitrate must move to be news: encoders swing by less from one second to the next. */
const BITRATE_STEP = 0.25;

/** Emits `event` with everything that is news. Times are the caller's, in ms of one clock that does not go back. */
export class EventLog extends EventEmitter<{ event: [StreamEvent] }> {
  #lastId = 0;
  /** `active` and `inactive` replace each other. */
  #liveness: StreamEvent | undefined;
  #count: StreamEvent | undefined;
  #layers: StreamEvent | undefined;
  #countedAt = Number.NEGATIVE_INFINITY;
  #layersAt = Number.NEGATIVE_INFINITY;
  #goneSince: number | undefined;

  /** Whether a publisher's media comes, as far as the looks found it. */
  setLive(isLive: boolean, now: number): void {
    if (isLive) {
      this.#goneSince = undefined;
      if (this.#liveness?.event !== 'active') this.#liveness = this.#add({ event: 'active', data: {} });
      return;
    }
    this.#goneSince ??= now;
    if (this.#liveness?.event !== 'active' || now - this.#goneSince < INACTIVE_AFTER) return;
    this.#layers = undefined;
    this.#liveness = this.#add({ event: 'inactive', data: {} });
  }

  /** How many watched when it was last told. */
  get viewers(): number {
    return this.#count?.event === 'viewercount' ? this.#count.data.viewercount : 0;
  }

  /** How many watch, all regions together. */
  setViewers(viewercount: number, now: number): void {
    const told = this.#count?.event === 'viewercount' ? this.#count.data.viewercount : undefined;
    if (viewercount === told || now - this.#countedAt < COUNT_INTERVAL) return;
    this.#countedAt = now;
    this.#count = this.#add({ event: 'viewercount', data: { viewercount } });
  }

  /** Which layers come. */
  setLayers(report: LayerReport, now: number): void {
    const told = this.#layers?.event === 'layers' ? this.#layers.data : undefined;
    if (now - this.#layersAt < LAYERS_INTERVAL || (told && isSame(told, report))) return;
    this.#layersAt = now;
    this.#layers = this.#add({ event: 'layers', data: report });
  }

  /** Whether an event had this number; one that none had is another session's. */
  hasGiven(id: number): boolean {
    return id <= this.#lastId;
  }

  /** A number for an event that is one viewer's alone. */
  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  /**
   * What is new since the event with this id, in its order; the newest of each kind is all that is kept. Who has heard
   * nothing yet gets how things stand, and no word of a stream that is not live (the draft: no initial `inactive`).
   */
  since(after?: number): StreamEvent[] {
    return [this.#liveness, this.#count, this.#layers]
      .filter((event) => event !== undefined)
      .filter(({ id, event }) => (after === undefined ? event !== 'inactive' : id > after))
      .sort((a, b) => a.id - b.id);
  }

  #add(event: DistributiveOmit<StreamEvent, 'id'>): StreamEvent {
    const added = { id: this.nextId(), ...event };
    this.emit('event', added);
    return added;
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** Whether the same layers come, at about the same bitrates. */
function isSame(a: LayerReport, b: LayerReport): boolean {
  const names = ({ active, inactive, layers }: LayerReport) =>
    JSON.stringify([active.map(({ bitrate, ...layer }) => layer), inactive, layers]);
  return (
    names(a) === names(b) &&
    a.active.every(({ bitrate }, index) => {
      const now = b.active[index]?.bitrate ?? 0;
      return Math.abs(now - bitrate) <= BITRATE_STEP * Math.max(now, bitrate);
    })
  );
}
