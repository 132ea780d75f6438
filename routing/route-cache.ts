// What a warm function or node remembers for a moment, so that a stream's millionth joiner reads nothing.

import { LRUCache } from 'lru-cache';
import type { StreamClaims } from './claims.ts';
import type { NodeRecord } from './node-record.ts';
import type { NodeRegistry } from './node-registry.ts';
import type { StreamMap } from './stream-map.ts';

/** How many streams' routes one process remembers, about 1 kB each. */
const REMEMBERED_STREAMS = 10_000;

export interface RouteCacheOptions {
  streamMap: StreamMap;
  nodeRegistry: NodeRegistry;
  /** How long an answer is reused, in ms; 0 asks every time. */
  maxAge: number;
}

/** Reads through to the stream map and the registry; callers that ask at once share one read. */
export class RouteCache {
  readonly #claims: LRUCache<string, StreamClaims>;
  readonly #nodes: LRUCache<'nodes', NodeRecord[]>;

  constructor({ streamMap, nodeRegistry, maxAge }: RouteCacheOptions) {
    // ttl 0 would mean "for ever" to the cache; the smallest one expires before the next read.
    const ttl = Math.max(1, maxAge);
    this.#claims = new LRUCache({
      max: REMEMBERED_STREAMS,
      ttl,
      fetchMethod: (stream) => streamMap.read(stream),
    });
    this.#nodes = new LRUCache({ max: 1, ttl, fetchMethod: () => nodeRegistry.list() });
  }

  /** The stream's claims, at most `maxAge` old; `fresh` by those who have learnt that they changed. */
  claims(stream: string, { fresh = false } = {}): Promise<StreamClaims> {
    return this.#claims.forceFetch(stream, { forceRefresh: fresh });
  }

  /** The region's registered nodes, at most `maxAge` old. */
  nodes(): Promise<NodeRecord[]> {
    return this.#nodes.forceFetch('nodes');
  }
}
