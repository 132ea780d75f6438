// One node of a large region writes its node list; every node looks whether somebody still does, and takes over.

import type { Logger } from 'pino';
import { type Keeper, type NodeListStore, SMALL_REGION } from '#routing/node-list-store.ts';
import type { NodeRegistry } from '#routing/node-registry.ts';
import type { Timing } from '#routing/timing.ts';
import type { Self } from './source.ts';

export interface NodeListKeeperOptions {
  self: Pick<Self, 'incarnation'>;
  registry: Pick<NodeRegistry, 'list'>;
  store: Pick<NodeListStore, 'keeper' | 'take' | 'write'>;
  timing: Pick<Timing, 'heartbeat' | 'nodeDeadAfter'>;
  log: Logger;
}

/**
 * The keeper writes once a heartbeat. Another takes its place when it has not for as long as a node may miss its
 * heartbeats; until then readers find the list too old and scan, as those of a small region always do.
 */
export class NodeListKeeper {
  readonly #options: NodeListKeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  /** What this node last wrote as the keeper. */
  #own: Keeper | undefined;
  #failing = false;
  #closed = false;

  constructor(options: NodeListKeeperOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Resolves when a look that is at work has ended. */
  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    return this.#looking;
  }

  #schedule(): void {
    const { heartbeat, nodeDeadAfter } = this.#options.timing;
    const delay = this.#own ? heartbeat : nodeDeadAfter * (0.5 + Math.random());
    this.#timer = setTimeout(() => {
      this.#looking = this.#look()
        .then(() => {
          this.#failing = false;
        })
        .catch((error: unknown) => {
          if (!this.#failing) this.#options.log.info({ err: error }, 'the node list could not be kept');
          this.#failing = true;
        })
        .then(() => {
          if (!this.#closed) this.#schedule();
        });
    }, delay);
  }

  async #look(): Promise<void> {
    const { self, registry, store, timing } = this.#options;
    const seen = this.#own ?? (await store.keeper());
    // A keeper whose clock is far ahead would seem to have written just now for long.
    const isKept = seen !== undefined && Math.abs(Date.now() - seen.at) < timing.nodeDeadAfter;
    if (isKept && this.#own === undefined) return;
    const at = Date.now();
    const nodes = await registry.list();
    if (nodes.length <= SMALL_REGION) {
      this.#own = undefined;
      return;
    }
    const next = { by: self.incarnation, at };
    // A failed call leaves it open who is the keeper: then it is read again.
    this.#own = undefined;
    if (!(await store.take(next, seen))) return;
    await store.write({ at, nodes });
    this.#own = next;
  }
}
