// The world's own state: its processes, what its nodes have open, the claims in its stream map, and its memory.

import { existsSync } from 'node:fs';
import { type ProcessFacts, processTree } from '#bench/processes.ts';
import { nodesTable } from '#local/database.ts';
import type { World } from '#local/world.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { NodeClient } from '#routing/node-client.ts';
import { type NodeStatus, nodeStatus } from '#routing/node-messages.ts';

/** Of a node to say what it has open, in ms. */
const STATUS_TIMEOUT = 10_000;

/** What the three kinds of processes are known by. */
const KINDS = {
  gateway: 'gateway/main.ts',
  node: 'media-fleet/main.ts',
  worker: 'mediasoup-worker',
} as const;
export type Kind = keyof typeof KINDS;

/** A process of the world: of its gateways, nodes and media workers. */
export interface Member {
  kind: Kind;
  pid: number;
  name: string;
}

export interface Memory extends Member {
  /** Bytes resident. */
  resident: number;
}

/** Bytes of all processes of each kind. */
export function totals(memory: readonly Memory[]): Record<Kind, number> {
  const sums = { gateway: 0, node: 0, worker: 0 };
  for (const { kind, resident } of memory) sums[kind] += resident;
  return sums;
}

/** Watches the processes that a world had at the beginning. */
export class Health {
  readonly #world: World;
  readonly #nodes: NodeClient;
  readonly #members: readonly Member[];
  readonly #incarnations: ReadonlyMap<string, string>;

  private constructor(world: World, nodes: NodeClient, members: Member[], statuses: NodeStatus[]) {
    this.#world = world;
    this.#nodes = nodes;
    this.#members = members;
    this.#incarnations = new Map(statuses.map(({ nodeId, incarnation }) => [nodeId, incarnation]));
  }

  static async of(world: World): Promise<Health> {
    const nodes = new NodeClient(world.clusterKey);
    const members = (await processTree(process.pid)).flatMap(memberOf);
    return new Health(world, nodes, members, await statusesOf(world, nodes));
  }

  /** Those that are gone; at once, for it is asked after every case. */
  dead(): string[] {
    return this.#members.filter(({ pid }) => !existsSync(`/proc/${pid}`)).map(({ name }) => name);
  }

  /** What is not the process that it was. */
  async changed(): Promise<string[]> {
    const statuses = await statusesOf(this.#world, this.#nodes);
    const started = statuses.filter(
      ({ nodeId, incarnation }) => this.#incarnations.get(nodeId) !== incarnation,
    );
    const pids = new Set((await processTree(process.pid)).flatMap(memberOf).map(({ pid }) => pid));
    return [
      ...started.map(({ nodeId }) => `node ${nodeId} started again`),
      ...this.#members.filter(({ pid }) => !pids.has(pid)).map(({ name }) => `${name} ended`),
    ];
  }

  /** What each node has open, by its id. */
  async open(): Promise<Record<string, NodeStatus['open']>> {
    const statuses = await statusesOf(this.#world, this.#nodes);
    return Object.fromEntries(statuses.map(({ nodeId, open }) => [nodeId, open]));
  }

  async memory(): Promise<Memory[]> {
    const facts = await processTree(process.pid);
    return facts.flatMap((fact) => memberOf(fact).map((member) => ({ ...member, resident: fact.resident })));
  }

  close(): void {
    this.#nodes.close();
  }
}

async function statusesOf({ regions, database }: World, nodes: NodeClient): Promise<NodeStatus[]> {
  const lists = regions.map(({ id }) =>
    new DynamoNodeRegistry(database(id).documents, nodesTable(id)).list(),
  );
  const call = { method: 'GET', path: '/v1/status', answer: nodeStatus, timeout: STATUS_TIMEOUT } as const;
  return Promise.all((await Promise.all(lists)).flat().map((node) => nodes.call(node, call)));
}

function memberOf({ pid, command }: ProcessFacts): Member[] {
  for (const kind of ['gateway', 'node', 'worker'] as const) {
    if (!command.includes(KINDS[kind])) continue;
    const id = /--(?:node-id|region) (\S+)/.exec(command)?.[1];
    return [{ kind, pid, name: `${kind} ${id ?? pid}` }];
  }
  return [];
}
