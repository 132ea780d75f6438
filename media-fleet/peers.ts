// The other nodes of this node's region, as far as it knows: the registry's list, and its own bad experiences.

import { LRUCache } from 'lru-cache';
import { sameHolder } from '#routing/claims.ts';
import type { NodeClient } from '#routing/node-client.ts';
import type { NodeList } from '#routing/node-list-store.ts';
import { nodeStatus } from '#routing/node-messages.ts';
import { aliveNodes, type NodeRecord } from '#routing/node-record.ts';
import { unavailable } from '#routing/problem.ts';
import type { RouteCache } from '#routing/route-cache.ts';
import type { Timing } from '#routing/timing.ts';

export interface Holder {
  nodeId: string;
  incarnation: string;
}

/** For so long a failed probe stands for the next, ms: whoever found its parent dead need not ask again to take its role. */
const PROBE_COUNTS = 1_000;
/** How many nodes may be under suspicion at once. */
const SUSPECTS = 1_000;

export class Peers {
  readonly #routes: RouteCache;
  readonly #client: NodeClient;
  readonly #timing: Timing;
  /** When each of them last failed a probe, by the process's own clock. */
  readonly #suspects: LRUCache<string, number>;
  #lastKnown: NodeList | undefined;

  constructor(routes: RouteCache, client: NodeClient, timing: Timing) {
    this.#routes = routes;
    this.#client = client;
    this.#timing = timing;
    // By then the registry knows better.
    this.#suspects = new LRUCache({ max: SUSPECTS, ttl: 2 * timing.nodeDeadAfter });
  }

  /**
   * The region's registered nodes, dead ones included; `exact`: one that has just come, too. Without the registry: the
   * last ones known.
   * @throws Problem 503 when none have been known yet: an empty list would make everybody dead.
   */
  async registered(how: { exact?: boolean } = {}): Promise<readonly NodeRecord[]> {
    return (await this.#list(how)).nodes;
  }

  async #list(how: { exact?: boolean }): Promise<NodeList> {
    try {
      this.#lastKnown = await this.#routes.nodes(how);
    } catch (error) {
      // The registry does not answer; media must not suffer for it.
      if (this.#lastKnown === undefined)
        throw unavailable('registry-unreachable', 'the node registry does not answer now', 2, error);
    }
    return this.#lastKnown;
  }

  /** Those whose heartbeat is fresh. */
  async beating(how: { exact?: boolean } = {}): Promise<readonly NodeRecord[]> {
    const { nodes, at } = await this.#list(how);
    return aliveNodes(nodes, at, this.#timing.nodeDeadAfter);
  }

  /** Those of them, too, that did not fail a probe of ours. */
  async alive(how: { exact?: boolean } = {}): Promise<readonly NodeRecord[]> {
    return (await this.beating(how)).filter((node) => !this.#isSuspect(node));
  }

  async isAlive(holder: Holder): Promise<boolean> {
    return holds(await this.alive(), holder) || holds(await this.alive({ exact: true }), holder);
  }

  /** The record of a node that the registry holds for dead, if it still answers its control port. */
  async revived(holder: Holder): Promise<NodeRecord | undefined> {
    const node = this.#lastKnown?.nodes.find((known) => sameHolder(known, holder));
    if (node === undefined) return undefined;
    const failedAt = this.#suspects.get(keyOf(node));
    if (failedAt !== undefined && performance.now() - failedAt < PROBE_COUNTS) return undefined;
    return (await this.probe(node)) ? node : undefined;
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
      if (incarnation === node.incarnation) {
        this.#suspects.delete(keyOf(node));
        return true;
      }
    } catch {
      // Whatever it was, the node did not say that it lives.
    }
    this.#suspects.set(keyOf(node), performance.now());
    return false;
  }

  #isSuspect(node: Holder): boolean {
    return this.#suspects.has(keyOf(node));
  }
}

const keyOf = ({ nodeId, incarnation }: Holder) => `${nodeId} ${incarnation}`;

export const holds = (nodes: readonly Holder[], holder: Holder): boolean =>
  nodes.some((node) => sameHolder(node, holder));
