// The other nodes of a region, as one of them sees them: the registry's list and its own bad experiences.

import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { makeCertificate } from '#media-fleet/certificate.ts';
import { ControlServer } from '#media-fleet/control-server.ts';
import { holds, Peers } from '#media-fleet/peers.ts';
import { NodeClient } from '#routing/node-client.ts';
import type { NodeStatus } from '#routing/node-messages.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import type { NodeRegistry } from '#routing/node-registry.ts';
import { RouteCache } from '#routing/route-cache.ts';
import type { StreamMap } from '#routing/stream-map.ts';
import { timingFrom } from '#routing/timing.ts';
import { startClocks, stopClocks } from '#test/unit/routing/clock.ts';
import { nodeRecord } from '#test/unit/routing/samples.ts';

const clusterKey = new Uint8Array(32).fill(1);
const client = new NodeClient(clusterKey);
const timing = timingFrom({ MERIDIAN_PROBE_MS: '300' });
const unused = () => Promise.reject(new Error('not used here'));
const streamMap: StreamMap = {
  read: unused,
  claimOrigin: unused,
  claimRegion: unused,
  release: unused,
  setYields: unused,
  held: unused,
};
const list = vi.fn<NodeRegistry['list']>();

let server: ControlServer;
let living: NodeRecord;
/** A node of the registry that nobody answers for. */
let gone: NodeRecord;
let status: NodeStatus;
let peers: Peers;

beforeAll(async () => {
  const certificate = await makeCertificate('i-living');
  server = await ControlServer.listen({
    address: '127.0.0.1',
    port: 0,
    certificate,
    clusterKey,
    incarnation: 'living-start-1',
    routes: [{ method: 'GET', path: '/v1/status', handle: () => status }],
    log: pino({ level: 'silent' }),
  });
  living = nodeRecord({
    nodeId: 'i-living',
    incarnation: 'living-start-1',
    control: `127.0.0.1:${server.port}`,
    fingerprint: certificate.fingerprint,
  });
  gone = nodeRecord({ nodeId: 'i-gone', incarnation: 'gone-start-1', control: '127.0.0.1:9' });
});
afterAll(() => {
  client.close();
  return server.close();
});
beforeEach(() => {
  const { nodeId, region, incarnation, group, state, load } = living;
  status = {
    v: 1,
    nodeId,
    region,
    incarnation,
    group,
    state,
    load,
    open: { transports: 0, routers: 0, streams: 0 },
  };
  const heartbeatAt = Date.now();
  living = { ...living, heartbeatAt };
  gone = { ...gone, heartbeatAt };
  list.mockReset().mockImplementation(async () => [living, gone]);
  const nodeRegistry: NodeRegistry = { beat: unused, remove: unused, list };
  peers = new Peers(new RouteCache({ streamMap, nodeRegistry, maxAge: 0 }), client, timing);
});
afterEach(startClocks);

const alive = async () => (await peers.alive()).map(({ nodeId }) => nodeId);

it('a node that says that it lives is believed', async () => {
  expect(await peers.probe(living)).toBe(true);
  expect(await alive()).toEqual(['i-living', 'i-gone']);
});

it('a node that fails a probe is left out, whatever its heartbeat says', async () => {
  expect(await peers.probe(gone)).toBe(false);
  expect(await alive()).toEqual(['i-living']);
});

it('a node that answers for another start of itself is not the one that was asked', async () => {
  status = { ...status, incarnation: 'living-start-2' };
  expect(await peers.probe(living)).toBe(false);
  expect(await alive()).toEqual(['i-gone']);
});

it('another start of a suspected node is not suspected', async () => {
  await peers.probe(gone);
  gone = { ...gone, incarnation: 'gone-start-2' };
  expect(await alive()).toEqual(['i-living', 'i-gone']);
});

it('a suspicion ends when the registry must know better', async () => {
  stopClocks(Date.now());
  await peers.probe(gone);
  vi.advanceTimersByTime(2 * timing.nodeDeadAfter - 1);
  expect(await alive()).toEqual(['i-living']);
  vi.advanceTimersByTime(2);
  expect(await alive()).toEqual(['i-living', 'i-gone']);
});

it('a failed probe stands for the next for a second, and no longer', async () => {
  stopClocks(Date.now());
  await alive();
  const asked = vi.spyOn(client, 'call').mockRejectedValue(new Error('no answer'));
  onTestFinished(() => asked.mockRestore());
  expect(await peers.revived(gone)).toBeUndefined();
  expect(asked).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(999);
  expect(await peers.revived(gone)).toBeUndefined();
  expect(asked).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(1);
  expect(await peers.revived(gone)).toBeUndefined();
  expect(asked).toHaveBeenCalledTimes(2);
  expect(await peers.revived(gone), 'the second failure counts anew').toBeUndefined();
  expect(asked).toHaveBeenCalledTimes(2);
});

it('one node’s failed probe does not stand for another’s, nor for another start', async () => {
  await alive();
  await peers.probe(gone);
  expect(await peers.revived(living)).toEqual(living);
  gone = { ...gone, incarnation: 'gone-start-7' };
  // The route cache keeps the list for a millisecond.
  await vi.waitFor(async () => expect(await peers.registered()).toContain(gone));
  const asked = vi.spyOn(client, 'call');
  onTestFinished(() => asked.mockRestore());
  expect(await peers.revived(gone)).toBeUndefined();
  expect(asked).toHaveBeenCalledTimes(1);
});

it('a probe that is asked for is made, though one failed just now; answered, it clears its node at once', async () => {
  status = { ...status, incarnation: 'living-start-2' };
  await peers.probe(living);
  expect(await peers.revived(living)).toBeUndefined();
  status = { ...status, incarnation: 'living-start-1' };
  expect(await peers.probe(living)).toBe(true);
  expect(await alive()).toEqual(['i-living', 'i-gone']);
  expect(await peers.revived(living)).toEqual(living);
});

it('a node that the registry has not shown is not revived: nobody knows where it would answer', async () => {
  const asked = vi.spyOn(client, 'call');
  onTestFinished(() => asked.mockRestore());
  expect(await peers.revived(living)).toBeUndefined();
  await alive();
  expect(await peers.revived({ ...living, incarnation: 'living-start-0' })).toBeUndefined();
  expect(asked).not.toHaveBeenCalled();
});

it('without the registry the last ones known are taken for alive', async () => {
  await alive();
  list.mockRejectedValue(new Error('throttled'));
  expect(await alive()).toEqual(['i-living', 'i-gone']);
});

it('with no word from the registry ever nobody is taken for dead: it is a 503', async () => {
  list.mockRejectedValue(new Error('throttled'));
  await expect(alive()).rejects.toMatchObject({ status: 503, code: 'registry-unreachable' });
});

it('a holder is one start of one node', () => {
  expect(holds([living, gone], gone)).toBe(true);
  expect(holds([living], gone)).toBe(false);
  expect(holds([gone], { ...gone, incarnation: 'gone-start-0' })).toBe(false);
});
