// Meridian with one region: an origin node and one edge, behind their gateway. A program of its own, so that its
// processes can be counted: it prints its endpoints and a publish token as one line of JSON. Its argument: media workers
// of a node, 1 without.

import { startWorld } from '#local/world.ts';

const stopped = Promise.withResolvers<void>();
const stop = () => stopped.resolve();
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
// Whoever started us holds the other end.
process.stdin.resume().once('close', stop);

const world = await startWorld({
  regions: ['us-east-1'],
  nodes: [
    { group: 'origin', number: 1 },
    { group: 'edge', number: 1 },
  ],
  ports: { page: 0, api: 0, global: 0, dns: 0 },
  restart: false,
  env: {
    // A benchmark says where the limits are; the defaults would refuse what it asks for.
    MERIDIAN_MAX_VIEWERS: '100000',
    MERIDIAN_CPU_LIMIT: '1',
    MERIDIAN_WORKERS: process.argv[2] ?? '1',
  },
});
const api = world.regions[0]?.api ?? '';
const token = world.publishToken;
process.stdout.write(`${JSON.stringify({ whip: `${api}/whip/bench`, whep: `${api}/whep/bench`, token })}\n`);
await stopped.promise;
await world.close();
process.exit();
