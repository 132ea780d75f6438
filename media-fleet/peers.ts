// The other nodes of this node's region, as far as it knows: the registry's list, and its own bad experiences.

import { LRUCache } from 'lru-cache';
import type { NodeClient } from '#routing/node-client.ts';
import { nodeStatus } from '#routing/node-messages.ts';
import { aliveNodes, type NodeRecord } from '#routing/node-record.ts';
import type { RouteCache } from '#routing/route-cache.ts';
import type { Timing } from '#routing/timing.ts';

export interface Holder {
  nodeId: string;
  incarnation: string;
}

/** How many nodes may be under suspicion at once. */
const SUSPECTS = 1_000;

export class Peers {
  readonly #routes: RouteCache;
  readonly #client: NodeClient;
  readonly #timing: Timing;
  readonly #suspects: LRUCache<string, true>;
  #lastKnown: readonly NodeRecord[] = [];

  constructor(routes: RouteCache, client: NodeClient, timing: Timing) {
    this.#routes = routes;
    this.#client = client;
    this.#timing = timing;
    // By then the registry knows better.
    this.#suspects = new LRUCache({ max: SUSPECTS, ttl: 2 * timing.nodeDeadAfter });
  }

  /** The region's living nodes, less those that failed a probe of ours. Without the registry: the last ones known. */
  async alive(): Promise<readonly NodeRecord[]> {
    try {
      this.#lastKnown = await this.#routes.nodes();
    } catch {
      // The registry does not answer; media must not suffer for it.
    }
    return aliveNodes(this.#lastKnown, Date.now(), this.#timing.nodeDeadAfter).filter(
      ({ nodeId, incarnation }) => !this.#suspects.has(`${nodeId} ${incarnation}`),
    );
  }

  /** Whether a node that the registry holds for dead still answers its control port. */
  async answers(holder: Holder): Promise<boolean> {
    const node = this.#lastKnown.find((known) => holds([known], holder));
    return node !== undefined && this.probe(node);
  }

  /** Asks a node that failed us whether it lives; one that does not say so in time is not asked again for a while. */
  async probe(node: NodeRecord): Promise<boolean> {
    try {
      const { incarnation } = await this.#client.call(node, {
        method: 'GET',
        path: '/v1/status',
        answer: nodeStatus,
        timeout: this.#timing.probe,
      });
      if (incarnation === node.incarnation) return true;
    } catch {
      // Whatever it was, the node did not say that it lives.
    }
    this.#suspects.set(`${node.nodeId} ${node.incarnation}`, true);
    return false;
  }
}

export const holds = (nodes: readonly Holder[], holder: Holder): boolean =>
  nodes.some(({ nodeId, incarnation }) => nodeId === holder.nodeId && incarnation === holder.incarnation);
