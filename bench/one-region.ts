// Meridian with one region behind its gateway. A program of its own, so that its processes can be counted: it prints its
// endpoints and a publish token as one line of JSON.

import { parseArgs } from 'node:util';
import { startWorld } from '#local/world.ts';
import { INSPECTED } from './heap.ts';

const { values } = parseArgs({
  options: {
    /** 1: an origin node, which then serves the viewers, too; 2: an edge besides. */
    nodes: { type: 'string', default: '2' },
    /** Media workers of a node. */
    workers: { type: 'string', default: '1' },
    /** Whether the processes have an inspector. */
    inspected: { type: 'boolean', default: false },
  },
});

const stopped = Promise.withResolvers<void>();
const stop = () => stopped.resolve();
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
// Whoever started us holds the other end.
process.stdin.resume().once('close', stop);

const world = await startWorld({
  regions: ['us-east-1'],
  nodes: [
    { group: 'origin' as const, number: 1 },
    { group: 'edge' as const, number: 1 },
  ].slice(0, Number(values.nodes)),
  ports: { page: 0, api: 0, global: 0, dns: 0 },
  restart: false,
  env: {
    // A benchmark says where the limits are; the defaults would refuse what it asks for.
    MERIDIAN_MAX_VIEWERS: '100000',
    MERIDIAN_CPU_LIMIT: '1',
    MERIDIAN_WORKERS: values.workers,
    ...(values.inspected ? { NODE_OPTIONS: INSPECTED } : {}),
  },
});
const api = world.regions[0]?.api ?? '';
const token = world.publishToken;
process.stdout.write(`${JSON.stringify({ whip: `${api}/whip/bench`, whep: `${api}/whep/bench`, token })}\n`);
await stopped.promise;
await world.close();
process.exit();
