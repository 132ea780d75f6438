// Regions far from each other: a leg over a WAN with delay, jitter and loss (local/wan.ts), and what viewers see of it.

import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Database, nodesTable, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { type DatabaseFront, openDatabaseFront } from '#local/database-front.ts';
import { canMakeHosts, Hosts } from '#local/hosts.ts';
import { startWorld, type World } from '#local/world.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { NodeClient } from '#routing/node-client.ts';
import { nodeStatus } from '#routing/node-messages.ts';
import type { Viewer } from '#test/media/libwebrtc.ts';
import { useSessions } from './sessions.ts';
import { crossings, eventually, newStream, readTree, regionAt, type Tree } from './support.ts';

const REGIONS = ['us-east-1', 'eu-west-1'] as const;
const PICTURES_PER_SECOND = 30;
/** Milliseconds each way: about what lies between these two regions (local/dns/inter-region-latency.ts). */
const DELAY = 40;

let hosts: Hosts | undefined;
let database: Database;
let front: DatabaseFront;
let world: World;

describe.skipIf(!canMakeHosts())('as root, who can make hosts:', () => {
  beforeAll(async () => {
    hosts = await Hosts.open(REGIONS);
    database = await startDatabase({
      regions: REGIONS,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    front = await openDatabaseFront(database.endpoint, { host: hosts.address });
    world = await startWorld({
      regions: REGIONS,
      ports: { page: 0, api: 0, global: 0, dns: 0 },
      restart: false,
      // The streams of a test are over soon after it.
      env: {
        MERIDIAN_CPU_LIMIT: '1',
        MERIDIAN_PUBLISHER_GRACE_MS: '1000',
        // A role's own looks at its claims would count as looks for a leg.
        MERIDIAN_CLAIM_CHECK_MS: '60000',
      },
      hosts,
      database: () => ({ ...database, endpoint: front.endpoint }),
    });
  });
  afterAll(async () => {
    await world.close();
    front.close();
    await database.close();
    await hosts?.close();
  });
  beforeEach(async () => {
    await setLink({});
    // Or its looks at the map, and what it has open, would count for the next.
    await eventually(everythingOpen, (nodes) => nodes.every(({ open: { streams } }) => streams === 0));
  });

  const region = (index: number) => regionAt(world, index);
  const tree = (stream: string) => readTree(stream, region(0), world.apiSecret);
  const { publish, watch } = useSessions({ publishToken: () => world.publishToken, tree });

  const wan = () => hosts?.wan ?? fail('no hosts');
  const setLink = ({ jitter = 0, loss = 0 }: { jitter?: number; loss?: number }) =>
    wan().set(REGIONS, { delay: DELAY, jitter, loss });

  /** A stream with a viewer near its publisher, who sees what can be seen, and one in the other region. */
  async function broadcast(what: string) {
    const stream = newStream(what);
    await publish(stream, region(0));
    const near = await watch(stream, region(0));
    await near.watch(1);
    const far = await watch(stream, region(1));
    await far.watch(1);
    // The first second is the publisher's, who is still finding its bitrate.
    await far.watch(PICTURES_PER_SECOND);
    return { stream, near, far };
  }

  /** The one leg that crosses, and who took it. */
  async function crossing(stream: string) {
    const state = (await tree(stream)) ?? fail(`${stream} is not live`);
    const [leg, ...others] = crossings(state, region(1));
    expect(others).toEqual([]);
    return { standing: standing(state), nodeId: leg?.nodeId, bytes: leg?.leg?.bytesReceived };
  }

  /** How often a node looked at the stream map: it does for every leg that it takes. */
  const looks = (nodeId: string | undefined) => {
    const address = world.nodes.find((node) => node.nodeId === nodeId)?.host?.address ?? fail('no such node');
    return front.calls.filter(({ from, table }) => from === address && table === STREAMS_TABLE).length;
  };

  async function everythingOpen() {
    const client = new NodeClient(world.clusterKey);
    const call = { method: 'GET', path: '/v1/status', answer: nodeStatus, timeout: 3_000 } as const;
    const registries = REGIONS.map((id) => new DynamoNodeRegistry(database.documents, nodesTable(id)));
    const nodes = (await Promise.all(registries.map((registry) => registry.list()))).flat();
    const statuses = await Promise.all(nodes.map((node) => client.call(node, call)));
    return statuses
      .map(({ nodeId, open }) => ({ nodeId, open }))
      .toSorted((a, b) => a.nodeId.localeCompare(b.nodeId));
  }

  test('the far viewer sees every picture at 1% loss, and what comes again is in time', async () => {
    const { near, far } = await broadcast('lossy');
    process.stdout.write(
      `first picture at ${2 * DELAY} ms round trip: ${milliseconds(far.firstFrameAfter)}\n`,
    );
    const without = await compare(near, far, 5);
    await setLink({ loss: 1 });
    const before = await wan().counts(REGIONS);
    const lossy = await compare(near, far, 20);
    const after = await wan().counts(REGIONS);
    const lost = after.lost - before.lost;
    process.stdout.write(`0%: ${told(without)}\n1%: ${told(lossy)}; ${lost} packets lost on the way\n`);
    expect(lost).toBeGreaterThan(5);
    // A viewer whose buffer is still short may decode some too late to show them: those did cross.
    expect(lossy.missing.length).toBeLessThanOrEqual(lossy.hidden);
    // Packet by packet, too.
    await eventually(
      async () => (await received(far)).video.packetsLost,
      (packets) => packets <= 0,
    );
  });

  test('at 3% loss with jitter the leg stays', async () => {
    const { stream, near, far } = await broadcast('lossier');
    const before = await crossing(stream);
    const looked = looks(before.nodeId);
    await setLink({ loss: 3, jitter: 10 });
    const seen = await compare(near, far, 20);
    process.stdout.write(`3%: ${told(seen)}\n`);
    const after = await crossing(stream);
    expect(after.standing).toEqual(before.standing);
    expect(after.bytes).toBeGreaterThan(before.bytes ?? Number.POSITIVE_INFINITY);
    expect(looks(before.nodeId)).toBe(looked);
    expect(seen.missing.length).toBeLessThanOrEqual(seen.hidden);
  });

  test('a leg that is cut for two seconds is there again at once, and leaves nothing behind', async () => {
    const { stream, far } = await broadcast('cut');
    const [before, openBefore] = [await crossing(stream), await everythingOpen()];
    const looked = looks(before.nodeId);
    await setLink({ loss: 100 });
    await sleep(2_000);
    await setLink({});
    const back = performance.now();
    await far.watch(1);
    const legs = looks(before.nodeId) - looked;
    process.stdout.write(
      `a picture ${milliseconds(performance.now() - back)} after the cut; the node looked for a leg ${legs} times\n`,
    );
    await far.watch(2 * PICTURES_PER_SECOND);
    const after = await crossing(stream);
    expect(after.standing).toEqual(before.standing);
    expect(looks(before.nodeId) - looked).toBe(legs);
    await eventually(everythingOpen, (now) => isDeepStrictEqual(now, openBefore));
  });
});

/** The tree without what changes by itself. */
const standing = ({ origin, regions }: Tree) => ({
  origin,
  regions: regions.map(({ secondaryOrigin, nodes }) => ({
    secondaryOrigin,
    nodes: nodes.map(({ nodeId, role, parent, viewers }) => ({ nodeId, role, parent, viewers })),
  })),
});

/** Counters of the two kinds of media that a viewer receives. */
async function received(viewer: Viewer) {
  const found = {
    video: { packetsLost: 0, framesDecoded: 0 },
    audio: { packetsLost: 0, packetsDiscarded: 0, concealmentEvents: 0 },
  };
  for (const report of (await viewer.connection.getStats()).values()) {
    if (report.type !== 'inbound-rtp') continue;
    if (report.kind === 'video') Object.assign(found.video, report);
    if (report.kind === 'audio') Object.assign(found.audio, report);
  }
  return { ...found, shown: viewer.decoded() };
}

/** Pictures of some seconds that the near viewer saw and the far one did not, and what became of the sound. */
async function compare(near: Viewer, far: Viewer, seconds: number) {
  const before = await received(far);
  const count = seconds * PICTURES_PER_SECOND;
  const within = 3 * seconds * 1_000;
  const [nearSaw, farSaw] = await Promise.all([near.watch(count, within), far.watch(count, within)]);
  const after = await received(far);
  const [from, to] = [
    Math.max(...[nearSaw[0], farSaw[0]].map(Number)),
    Math.min(...[nearSaw.at(-1), farSaw.at(-1)].map(Number)),
  ];
  const seen = new Set(farSaw);
  const compared = nearSaw.filter((number) => number >= from && number <= to);
  return {
    compared: compared.length,
    missing: compared.filter((number) => !seen.has(number)),
    // Those that wait to be shown when the counters are read could make it negative.
    hidden: Math.max(
      0,
      after.video.framesDecoded - after.shown - (before.video.framesDecoded - before.shown),
    ),
    soundLate: after.audio.packetsDiscarded - before.audio.packetsDiscarded,
    soundLost: after.audio.packetsLost - before.audio.packetsLost,
    concealed: after.audio.concealmentEvents - before.audio.concealmentEvents,
  };
}

const told = ({ compared, missing, hidden, ...sound }: Awaited<ReturnType<typeof compare>>) =>
  `${missing.length} of ${compared} pictures missing (${hidden} decoded too late to be shown); sound: ` +
  `${sound.soundLost} packets lost, ${sound.soundLate} late, ${sound.concealed} gaps concealed`;

const milliseconds = (time: number | undefined) => `${Math.round(time ?? Number.NaN)} ms`;

function fail(what: string): never {
  throw new Error(what);
}
