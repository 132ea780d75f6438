// What a warm function or node remembers for a moment, so that a stream's millionth joiner reads nothing.

import { LRUCache } from 'lru-cache';
import type { StreamClaims } from './claims.ts';
import { type NodeList, type NodeListStore, SMALL_REGION } from './node-list-store.ts';
import type { NodeRegistry } from './node-registry.ts';
import type { StreamMap } from './stream-map.ts';

/** How many streams' routes one process remembers, about 1 kB each. */
const REMEMBERED_STREAMS = 10_000;

export interface RouteCacheOptions {
  streamMap: StreamMap;
  nodeRegistry: Pick<NodeRegistry, 'list'>;
  /** Where a large region's list is, and how old it may be when it is read, in ms: as old as a living node's heartbeat. */
  nodeLists?: { store: Pick<NodeListStore, 'read'>; maxAge: number };
  /** How long an answer is reused, in ms; 0 asks every time. */
  maxAge: number;
}

/** Reads through to the stream map and the registry; callers that ask at once share one read. */
export class RouteCache {
  readonly #claims: LRUCache<string, StreamClaims>;
  readonly #nodes: LRUCache<'nodes' | 'exact', NodeList>;
  readonly #options: RouteCacheOptions;
  /** Whether the region had more nodes at the last look than are read one by one. */
  #isLarge = false;

  constructor(options: RouteCacheOptions) {
    const { streamMap, maxAge } = options;
    this.#options = options;
    // ttl 0 would mean "for ever" to the cache; the smallest one expires before the next read.
    const ttl = Math.max(1, maxAge);
    this.#claims = new LRUCache({
      max: REMEMBERED_STREAMS,
      ttl,
      fetchMethod: (stream) => streamMap.read(stream),
    });
    this.#nodes = new LRUCache({
      max: 2,
      ttl,
      fetchMethod: (how) => (how === 'exact' ? this.#readItems() : this.#readNodes()),
    });
  }

  /** The stream's claims, at most `maxAge` old; `fresh` by those who have learnt that they changed. */
  claims(stream: string, { fresh = false } = {}): Promise<StreamClaims> {
    return this.#claims.forceFetch(stream, { forceRefresh: fresh });
  }

  /**
   * The region's registered nodes, at most `maxAge` old; a large region's by its list, which may leave out one that has
   * just come. `exact` by those to whom that would matter: by the nodes' own items.
   */
  nodes({ exact = false } = {}): Promise<NodeList> {
    // A small region's are always exact.
    return this.#nodes.forceFetch(exact && this.#isLarge ? 'exact' : 'nodes');
  }

  async #readNodes(): Promise<NodeList> {
    const { nodeLists } = this.#options;
    const list = this.#isLarge ? await nodeLists?.store.read() : undefined;
    // One from the future was dated by a clock that is wrong.
    if (list && nodeLists && Math.abs(Date.now() - list.at) < nodeLists.maxAge) return list;
    return this.#readItems();
  }

  async #readItems(): Promise<NodeList> {
    const at = Date.now();
    const nodes = await this.#options.nodeRegistry.list();
    this.#isLarge = nodes.length > SMALL_REGION;
    return { at, nodes };
  }
}
