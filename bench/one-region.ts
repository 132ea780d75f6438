// Meridian with one region: an origin node and one edge, behind their gateway. A program of its own, so that its
// processes can be counted: it prints its endpoints and a publish token as one line of JSON. Its argument: media workers
// of a node, 1 without.

import { startWorld } from '#local/world.ts';

const starting = startWorld({
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
let stopping: Promise<void> | undefined;
/** Once: a second call must not exit while the first still closes. */
const stop = () => {
  stopping ??= starting.then((world) => world.close()).finally(() => process.exit());
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
// Whoever started us holds the other end.
process.stdin.resume().once('close', stop);

const { regions, publishToken } = await starting;
const api = regions[0]?.api ?? '';
process.stdout.write(
  `${JSON.stringify({ whip: `${api}/whip/bench`, whep: `${api}/whep/bench`, token: publishToken })}\n`,
);
