// The archive that an instance starts a node from: built, unpacked and started on a host of its own (a network
// namespace), it joins a region and serves media.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodesTable } from '#local/database.ts';
import { canMakeHosts, type Host, Hosts } from '#local/hosts.ts';
import { type InstanceMetadata, startInstanceMetadata } from '#local/instance-metadata.ts';
import { startWorld, type World } from '#local/world.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { useSessions } from './sessions.ts';
import { eventually, newStream, nodesOf, readTree, regionAt } from './support.ts';

const run = promisify(execFile);
const root = new URL('../../', import.meta.url).pathname;
let hosts: Hosts | undefined;
let host: Host;
let world: World;
let directory: string;
let metadata: InstanceMetadata;
let node: ChildProcess | undefined;

describe.skipIf(!canMakeHosts())('as root, who can make hosts:', () => {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'meridian-artifact-'));
    // Not to dist: what a test has built is not to be deployed. Of this machine's worker no other architecture can be built,
    // which keeps it from nothing here.
    const built = run(
      process.execPath,
      ['scripts/node-artifact/build.ts', '--local-worker', '--out', directory],
      { cwd: root },
    );
    const archive = `meridian-node-${process.arch}.tar.gz`;
    await expect(built).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(new RegExp(`NOT BUILT: ${process.arch === 'x64' ? 'arm64' : 'x64'}`)),
    });
    await expect(built).rejects.toThrow(archive);
    await run('tar', ['-xzf', archive], { cwd: directory });
    hosts = await Hosts.open();
    host = await hosts.add();
    metadata = await startInstanceMetadata({
      instanceId: 'i-0fromarchive',
      address: host.address,
      host: hosts.address,
    });
    world = await startWorld({
      regions: ['us-east-1', 'eu-west-1'],
      ports: { page: 0, api: 0, global: 0, dns: 0 },
      restart: false,
      env: { MERIDIAN_CPU_LIMIT: '1' },
      hosts,
    });
  }, 120_000);
  afterAll(async () => {
    node?.kill('SIGKILL');
    metadata.close();
    await world.close();
    await hosts?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const region = (index: number) => regionAt(world, index);
  const tree = (stream: string) => readTree(stream, region(1), world.apiSecret);
  const { publish, watch } = useSessions({ publishToken: () => world.publishToken, tree });

  test('a node from the archive takes its name from its instance, joins when wanted, and serves', async () => {
    metadata.setTargetState('Warmed:Pending');
    // As the service does: nothing of this checkout, and no environment but its own.
    const [command = '', ...entry] = host.enter;
    const program = [join(directory, 'node'), '--max-semi-space-size=2', join(directory, 'main.mjs')];
    node = spawn(command, [...entry, ...program], {
      cwd: directory,
      env: {
        ...world.nodeEnvironment(region(1).id, 'edge', host.address),
        AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.endpoint,
        MEDIASOUP_WORKER_BIN: join(directory, 'mediasoup-worker'),
        MERIDIAN_DRAIN_MS: '10000',
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const exited = once(node, 'exit');
    const registry = new DynamoNodeRegistry(world.database(region(1).id).documents, nodesTable(region(1).id));
    const state = async () =>
      (await registry.list()).find(({ nodeId }) => nodeId === 'i-0fromarchive')?.state;
    // The others go, so that a viewer can only be here.
    for (const other of world.nodes.filter(({ nodeId }) => nodeId.startsWith(`${region(1).id}-edge`))) {
      await other.child.stop();
    }
    expect(await state()).toBeUndefined();
    metadata.setTargetState('InService');
    const wanted = performance.now();
    await eventually(state, (now) => now === 'SERVING');
    process.stdout.write(`from InService to SERVING: ${Math.round(performance.now() - wanted)} ms\n`);

    const stream = newStream('archive');
    await publish(stream, region(0));
    const viewer = await watch(stream, region(1));
    await viewer.watch(10);
    const [serving] = nodesOf((await tree(stream)) ?? never(), region(1));
    expect(serving).toMatchObject({ nodeId: 'i-0fromarchive', role: 'secondary-origin', viewers: 1 });

    await viewer.stop();
    node.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(await state()).toBeUndefined();
  });
});

function never(): never {
  throw new Error('not live');
}
