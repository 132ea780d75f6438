// The node's media workers: who gets the next session, what is counted, and what takes a lost one's place.

import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { observer } from 'mediasoup';
import type { Worker } from 'mediasoup/types';
import { pino } from 'pino';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { childrenOf } from '#media-fleet/process-stat.ts';
import { type MediaWorker, Workers, type WorkersOptions } from '#media-fleet/workers.ts';
import { openHub, silent } from './media.ts';

let workers: Workers | undefined;

afterEach(async () => {
  vi.useRealTimers();
  await workers?.close();
  workers = undefined;
});

async function start(changes: Partial<WorkersOptions> = {}): Promise<Workers> {
  const started = await Workers.start({
    count: 1,
    listenAddress: '127.0.0.1',
    publicAddress: '203.0.113.7',
    crossingAddress: '203.0.113.8',
    privateAddress: '127.0.0.1',
    firstPort: 0,
    legPorts: { min: 20_000, max: 59_999 },
    iceConsent: 10_000,
    log: silent,
    ...changes,
  });
  workers = started;
  return started;
}

/** A session on a worker, on a router of its own. */
async function openSession(on: Workers, media: MediaWorker) {
  const router = await on.createRouter(media, []);
  return { router, transport: await on.createSessionTransport(media, router) };
}

/** A TCP port that is taken until `free` is called. */
async function takePort(): Promise<{ port: number; free: () => Promise<unknown> }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const free = () => once(server.close(), 'close');
  return { port: typeof address === 'object' && address !== null ? address.port : 0, free };
}

const portsOf = async ({ server }: MediaWorker) => {
  const { udpSockets, tcpServers } = await server.dump();
  return [...udpSockets, ...tcpServers].map(({ port }) => port);
};

/** The worker that took the place of the one with this process id. */
const replacement = (on: Workers, pid: number, timeout: number): Promise<MediaWorker> =>
  vi.waitFor(
    () => {
      const media = on.pick();
      expect(media.worker.pid).not.toBe(pid);
      return media;
    },
    { timeout, interval: 50 },
  );

it('the next session goes where the fewest are', async () => {
  const three = await start({ count: 3 });
  const media = [three.pick()];
  const sessions = [await openSession(three, three.pick())];
  for (let others = 0; others < 2; others += 1) {
    media.push(three.pick());
    sessions.push(await openSession(three, three.pick()));
  }
  expect(new Set(media.map(({ worker }) => worker.pid)).size).toBe(3);
  for (const [index, { router }] of sessions.entries()) {
    router.close();
    expect(three.pick()).toBe(media[index]);
    await openSession(three, three.pick());
  }
});

it('a viewer stays on its stream’s worker up to a hundred sessions there', async () => {
  const two = await start({ count: 2 });
  const home = two.pick();
  const { router } = await openSession(two, home);
  for (let sessions = 1; sessions < 100; sessions += 1) {
    expect(two.pickForViewer(home)).toBe(home);
    await two.createSessionTransport(home, router);
  }
  expect(two.pickForViewer(home)).not.toBe(home);
});

it('what is opened is counted, and uncounted when it closes, with its router or alone', async () => {
  const one = await start();
  const { media, router } = await openHub(one);
  const session = await one.createSessionTransport(media, router);
  await one.createLegTransport(router, true);
  expect(one.open).toEqual({ routers: 1, transports: 2 });
  expect(media.sessions).toBe(1);
  session.close();
  expect([one.open.transports, media.sessions]).toEqual([1, 0]);
  await one.createSessionTransport(media, router);
  router.close();
  expect(one.open).toEqual({ routers: 0, transports: 0 });
  expect(media.sessions).toBe(0);
});

it('a leg that crosses regions names the address for other regions, any other the private one', async () => {
  const one = await start({ privateAddress: '10.0.0.7' });
  const { router } = await openHub(one);
  expect((await one.createLegTransport(router, true)).tuple.localAddress).toBe('203.0.113.8');
  expect((await one.createLegTransport(router, false)).tuple.localAddress).toBe('10.0.0.7');
});

// A machine without IPv6 cannot listen on it.
it.skipIf(!existsSync('/proc/net/if_inet6'))(
  'a node with an IPv6 address offers it beside the other',
  async () => {
    const one = await start({ publicAddressV6: '2001:db8::7' });
    const { transport } = await openSession(one, one.pick());
    expect(
      transport.iceCandidates.map(({ address, protocol }) => `${protocol} ${address}`).toSorted(),
    ).toEqual(['tcp 2001:db8::7', 'tcp 203.0.113.7', 'udp 2001:db8::7', 'udp 203.0.113.7']);
  },
);

it('a worker that dies takes what was on it along, and another comes on its port', async () => {
  const { port, free } = await takePort();
  await free();
  const one = await start({ firstPort: port });
  const lost = one.pick();
  expect(await portsOf(lost)).toEqual([port, port]);
  const { router, transport } = await openSession(one, lost);
  await one.createLegTransport(router, false);
  const closed = once(router.observer, 'close');
  process.kill(lost.worker.pid, 'SIGKILL');
  await closed;
  expect(() => one.pick()).toThrow(expect.objectContaining({ status: 503, code: 'node-full' }));
  const next = await replacement(one, lost.worker.pid, 5_000);
  expect([transport.closed, one.open]).toEqual([true, { routers: 0, transports: 0 }]);
  expect(await portsOf(next)).toEqual([port, port]);
  await openSession(one, next);
  expect(next.sessions).toBe(1);
});

it('a worker that stands still is ended, and another comes', async () => {
  const one = await start();
  const hung = one.pick();
  const { transport } = await openSession(one, hung);
  process.kill(hung.worker.pid, 'SIGSTOP');
  await replacement(one, hung.worker.pid, 15_000);
  expect([hung.worker.died, transport.closed]).toEqual([true, true]);
});

/** Fake time, in steps: what a timer begins goes on before the next one. */
async function pass(milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 100) await vi.advanceTimersByTimeAsync(100);
}

/** Fake time does not wait for a real worker's answers. */
const idle = async () => 0;
const answering = async ({ worker }: MediaWorker) => {
  const usage = await worker.getResourceUsage();
  return vi.spyOn(worker, 'getResourceUsage').mockResolvedValue(usage);
};
const hanging = ({ worker }: MediaWorker) =>
  vi.spyOn(worker, 'getResourceUsage').mockReturnValue(new Promise(() => undefined));

it('a worker that is too busy to answer gets no more viewers, and is ended only after half a minute', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  // A third of a core: others take the rest.
  const one = await start({ cpuTime: async () => performance.now() / 3 });
  const busy = one.pick();
  hanging(busy);
  const died = once(busy.worker, 'died');
  await pass(8_000);
  expect([busy.worker.closed, one.usage.cpu]).toEqual([false, 1]);
  await pass(20_000);
  expect(busy.worker.closed).toBe(false);
  await pass(5_000);
  await died;
});

it('while a worker does not answer, what is new goes to another', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const two = await start({ count: 2, cpuTime: idle });
  const well = two.pick();
  await openSession(two, well);
  const hung = two.pick();
  expect(hung).not.toBe(well);
  await answering(well);
  hanging(hung);
  await pass(3_000);
  expect(hung.worker.closed).toBe(false);
  expect([two.pick(), two.pickForViewer(hung)]).toEqual([well, well]);
  hanging(well);
  await pass(3_000);
  expect(two.pick(), 'none is well').toBe(hung);
});

it('a worker whose answer is late because this process stood still is not ended', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const answer = Promise.withResolvers<Awaited<ReturnType<MediaWorker['worker']['getResourceUsage']>>>();
  const reads = vi.fn(async () => 0);
  const one = await start({ cpuTime: reads });
  const { worker } = one.pick();
  const usage = await worker.getResourceUsage();
  vi.spyOn(worker, 'getResourceUsage').mockReturnValue(answer.promise);
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  onTestFinished(() => kill.mockRestore());
  await pass(2_500);
  // What waits in a pipe is read while the CPU time is.
  reads.mockImplementationOnce(async () => {
    answer.resolve(usage);
    return 0;
  });
  await pass(6_000);
  expect(reads.mock.calls.length).toBeGreaterThan(1);
  expect(kill).not.toHaveBeenCalled();
});

it('measuring leaves nothing behind', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const one = await start({ cpuTime: idle });
  const { worker } = one.pick();
  const measured = await answering(one.pick());
  const before = worker.observer.listenerCount('close');
  await pass(9_000);
  expect(measured.mock.calls.length).toBeGreaterThan(2);
  expect(worker.observer.listenerCount('close')).toBe(before);
});

it('a worker leaves signals to the node, and takes nobody’s else off', async () => {
  const listeners = () => process.listeners('SIGTERM');
  const before = listeners();
  const starting = start();
  const ours = () => undefined;
  process.on('SIGTERM', ours);
  onTestFinished(() => void process.off('SIGTERM', ours));
  await starting;
  expect(listeners()).toEqual([...before, ours]);
});

/** Workers on ports that a successor must have again, what they log, and how one is killed for whom another is in the way. */
async function startOnPorts(count: number) {
  const lines: string[] = [];
  const log = pino({ level: 'error' }, { write: (line) => lines.push(line) });
  // Below the ports that legs and other tests are given, any of which may be wanted meanwhile.
  const firstPort = () => 10_000 + Math.floor(Math.random() * 9_000);
  const on = await vi.waitFor(() => start({ count, firstPort: firstPort(), log }), { timeout: 10_000 });
  const lose = async (media: MediaWorker) => {
    const [port] = await portsOf(media);
    const inTheWay = createServer();
    // Long before a new process can have it.
    media.worker.once('died', () => inTheWay.listen(port, '127.0.0.1'));
    process.kill(media.worker.pid, 'SIGKILL');
    return { port, free: () => once(inTheWay.close(), 'close') };
  };
  const logged = (what: string) =>
    vi.waitFor(() => expect(lines.join()).toContain(what), { timeout: 10_000 });
  return { on, lose, logged };
}

/** What this process is told to end by, without ending. */
function noSignals() {
  const kill = process.kill.bind(process);
  const told: unknown[] = [];
  const killing = vi.spyOn(process, 'kill').mockImplementation((pid, signal) => {
    if (pid !== process.pid) return kill(pid, signal);
    told.push(signal);
    return true;
  });
  onTestFinished(() => {
    killing.mockRestore();
    process.exitCode = undefined;
  });
  return told;
}

it('a lost worker that cannot be replaced yet is tried for again while another serves', async () => {
  const { on, lose, logged } = await startOnPorts(2);
  const { router } = await openSession(on, on.pick());
  const lost = on.pick();
  lost.cpu = 1;
  const { port, free } = await lose(lost);
  await logged('trying again');
  expect(on.usage.cpu, 'of those that run').toBeLessThan(1);
  expect([router.closed, on.pick() === lost]).toEqual([false, false]);
  await free();
  // The one without a session is picked.
  await vi.waitFor(async () => expect(await portsOf(on.pick())).toContain(port), { timeout: 10_000 });
});

it('when the last worker dies and no other can be started, the node is told to end, at once and as failed', async () => {
  const told = noSignals();
  const { on, lose, logged } = await startOnPorts(1);
  const { free } = await lose(on.pick());
  await logged('no media worker can be started');
  expect([told, process.exitCode]).toEqual([['SIGINT'], 1]);
  await free();
});

it('one that cannot be started does not end the node while another starts', async () => {
  const told = noSignals();
  const { on, lose, logged } = await startOnPorts(2);
  const first = on.pick();
  await openSession(on, first);
  const second = on.pick();
  const [secondPort] = await portsOf(second);
  // The second's successor takes its time; the first's fails meanwhile.
  const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const hold = (worker: Worker) => {
    const create = worker.createWebRtcServer.bind(worker);
    vi.spyOn(worker, 'createWebRtcServer').mockImplementation(async (options) => {
      if (options.listenInfos?.[0]?.port !== secondPort) return create(options);
      begun.resolve();
      await go.promise;
      return create(options);
    });
  };
  observer.on('newworker', hold);
  onTestFinished(() => void observer.off('newworker', hold));
  process.kill(second.worker.pid, 'SIGKILL');
  await begun.promise;
  const { free } = await lose(first);
  await logged('trying again');
  expect(() => on.pick()).toThrow('no media worker is running');
  go.resolve();
  await vi.waitFor(() => on.pick(), { timeout: 10_000 });
  expect(told).toEqual([]);
  await free();
});

it('says what its workers use once they are measured', async () => {
  const one = await start();
  expect(one.usage).toEqual({ cpu: 0, memory: 0 });
  await vi.waitFor(() => expect(one.usage.memory).toBeGreaterThan(1_000_000), { timeout: 10_000 });
  expect(one.usage.memory).toBeLessThan(1_000_000_000);
});

it('names the port that it cannot have, be it taken for TCP or for UDP', async () => {
  const { port, free } = await takePort();
  await expect(start({ firstPort: port })).rejects.toThrow(`worker 0 cannot listen on 127.0.0.1:${port}`);
  await free();
  const socket = createSocket('udp4').bind(port, '127.0.0.1');
  await once(socket, 'listening');
  await expect(start({ firstPort: port })).rejects.toThrow(`worker 0 cannot listen on 127.0.0.1:${port}`);
  socket.close();
  await start({ firstPort: port });
});

it('a worker that hangs while it starts is ended, and the start fails', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const hung = Promise.withResolvers<Worker>();
  observer.once('newworker', (worker) => {
    vi.spyOn(worker, 'createWebRtcServer').mockImplementation(() => {
      hung.resolve(worker);
      return new Promise(() => undefined);
    });
  });
  const failed = expect(start()).rejects.toThrow('worker 0 hung while it started');
  const died = once(await hung.promise, 'died');
  await pass(11_000);
  await Promise.all([failed, died]);
});

it('a worker that never says that it runs is ended, and the start fails', { timeout: 60_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'worker-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const binary = join(folder, 'worker');
  await writeFile(binary, `#!/bin/sh\necho $$ > ${binary}.pid\nexec sleep 600\n`, { mode: 0o755 });
  // mediasoup reads where its worker is once a process.
  const script = `
    import { startWorkers } from '${new URL('media.ts', import.meta.url).href}';
    await startWorkers().catch(({ message }) => console.log(message));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], {
    env: { ...process.env, MEDIASOUP_WORKER_BIN: binary },
  });
  expect(stdout).toContain('a media worker did not start within 10000 ms');
  const pid = Number(await readFile(`${binary}.pid`, 'utf8'));
  expect(existsSync(`/proc/${pid}`)).toBe(false);
});

it('a start that fails in the middle leaves no worker behind', async () => {
  const { port, free } = await takePort();
  const before = port - 1;
  await expect(start({ count: 2, firstPort: before })).rejects.toThrow(
    `worker 1 cannot listen on 127.0.0.1:${port}`,
  );
  await vi.waitFor(() => start({ firstPort: before }), { timeout: 5_000 });
  await free();
});

it('a closed node’s workers are gone, and no other comes', async () => {
  const one = await start();
  const { worker } = one.pick();
  const ended = once(worker, 'subprocessclose');
  one.close();
  await ended;
  expect(() => one.pick()).toThrow('no media worker is running');
});

it('a replacement that is starting ends with its node, which is not told of a failure', async () => {
  const told = vi.spyOn(process, 'kill');
  onTestFinished(() => told.mockRestore());
  const one = await start();
  const { worker } = one.pick();
  const died = once(worker, 'died');
  process.kill(worker.pid, 'SIGKILL');
  await died;
  const begun = childrenOf(process.pid);
  await one.close();
  await vi.waitFor(() => expect(begun.filter((pid) => childrenOf(process.pid).includes(pid))).toEqual([]));
  expect(told).not.toHaveBeenCalledWith(process.pid, 'SIGINT');
});

it('a worker that stands still ends with its node, too', async () => {
  const one = await start();
  const { worker } = one.pick();
  process.kill(worker.pid, 'SIGSTOP');
  const ended = once(worker, 'subprocessclose');
  await one.close();
  await ended;
  expect(existsSync(`/proc/${worker.pid}`)).toBe(false);
});
