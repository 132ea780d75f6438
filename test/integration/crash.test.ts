// A world of its own with little room: nodes that are full, and nodes that die.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startWorld, type World } from '#local/world.ts';
import { useSessions } from './sessions.ts';
import { crossings, eventually, newStream, nodesOf, readTree, regionAt, type Tree, whep } from './support.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld({
    regions: ['us-east-1', 'eu-west-1'],
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    env: { MERIDIAN_MAX_VIEWERS: '2', MERIDIAN_MAX_PUBLISHERS: '1', MERIDIAN_CPU_LIMIT: '1' },
  });
});
afterAll(() => world.close());

const region = (index: number) => regionAt(world, index);
const tree = (stream: string) => readTree(stream, region(1), world.apiSecret);
const { publish, watch } = useSessions({ publishToken: () => world.publishToken, tree });
/** Until the registry's picture of the loads is that of the sessions: none. */
const allFree = () =>
  eventually(
    async () => {
      const headers = { authorization: `Bearer ${world.apiSecret}` };
      const [a, b] = await Promise.all(world.regions.map(({ api }) => fetch(`${api}/healthz`, { headers })));
      return [a?.status, b?.status];
    },
    (states) => states.every((status) => status === 200),
  );
const nodeProcess = (nodeId: string) => {
  const node = world.nodes.find((candidate) => candidate.nodeId === nodeId);
  if (!node) throw new Error(`no process for ${nodeId}`);
  return node.child.process;
};

describe('a region', () => {
  test('serves viewers on its origin only when its edges are full, and then says 503', async () => {
    await allFree();
    const stream = newStream('full');
    await publish(stream, region(0));
    for (let count = 0; count < 6; count += 1) await (await watch(stream, region(0))).watch(1);
    const state = await eventually(
      () => tree(stream),
      (now) => now !== undefined && viewersIn(now, 0) === 6,
    );
    expect(
      nodesOf(state ?? never(), region(0))
        .map(({ role, viewers }) => [role, viewers])
        .sort(),
    ).toEqual([
      ['edge', 2],
      ['edge', 2],
      ['origin', 2],
    ]);
    const response = await fetch(whep(region(0), stream), {
      method: 'POST',
      headers: { 'content-type': 'application/sdp' },
      body: 'v=0\r\ns=-\r\n',
    });
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    // The region's one origin node has its one publisher.
    await expect(publish(newStream('second'), region(0))).rejects.toMatchObject({ status: 503 });
  });
});

describe('when a node is killed', () => {
  test('that is a secondary origin, another edge claims the role and its viewers stay', async () => {
    await allFree();
    const stream = newStream('secondary');
    await publish(stream, region(0));
    const viewers = await Promise.all([1, 2, 3, 4].map(() => watch(stream, region(1))));
    await Promise.all(viewers.map((viewer) => viewer.watch(3)));
    const before = await eventually(
      () => tree(stream),
      (now) => now !== undefined && viewersIn(now, 1) === 4,
    );
    const [dying] = crossings(before ?? never(), region(1));
    nodeProcess(dying?.nodeId ?? '').kill('SIGKILL');

    const after = await eventually(
      () => tree(stream),
      (now) => now !== undefined && crossings(now, region(1)).some(({ nodeId }) => nodeId !== dying?.nodeId),
    );
    const [claimed, ...others] = crossings(after ?? never(), region(1));
    expect(others).toEqual([]);
    expect(claimed?.nodeId).not.toBe(dying?.nodeId);
    expect(after?.regions.find((part) => part.region === region(1).id)?.secondaryOrigin).toEqual({
      nodeId: claimed?.nodeId,
      epoch: 2,
    });
    // Two of the four were on the other edge; their session is the one they had.
    const survivors = viewers.filter((viewer) => viewer.connection.connectionState === 'connected');
    const seen = await Promise.allSettled(survivors.map((viewer) => viewer.watch(10, 5_000)));
    expect(seen.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThanOrEqual(2);
  });

  test('that is the origin, its publisher comes back elsewhere and viewers go on', async () => {
    await allFree();
    const stream = newStream('origin');
    await publish(stream, region(0));
    const viewer = await watch(stream, region(1));
    await viewer.watch(3);
    nodeProcess(`${region(0).id}-origin-1`).kill('SIGKILL');
    const publisher = await publish(stream, region(1));
    await viewer.watch(20);
    const state = await tree(stream);
    expect(state?.origin).toMatchObject({ region: region(1).id, epoch: 2 });
    // Nobody can publish in the first region now: it has no origin node left.
    await eventually(
      async () => (await fetch(`${region(0).api}/healthz`)).status,
      (status) => status === 503,
    );
    // When the new origin goes, the dead one's claim must not rise again.
    await publisher.stop();
    await eventually(
      () => tree(stream),
      (now) => now?.origin == null,
    );
  });

  test('that is the origin, and nobody publishes again, the stream is live no more', async () => {
    // The publisher before this one has left, and the registry knows it.
    await eventually(
      async () => (await fetch(`${region(1).api}/healthz`)).status,
      (status) => status === 200,
    );
    const stream = newStream('orphan');
    await publish(stream, region(1));
    nodeProcess(`${region(1).id}-origin-1`).kill('SIGKILL');
    await eventually(
      () => tree(stream),
      (now) => now?.origin == null,
    );
    await expect(watch(stream, region(0))).rejects.toMatchObject({ status: 409 });
  });
});

const viewersIn = (state: Tree, index: number) =>
  nodesOf(state, region(index)).reduce((sum, { viewers }) => sum + viewers, 0);

function never(): never {
  throw new Error('not live');
}
