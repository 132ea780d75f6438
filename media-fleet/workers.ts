// The node's mediasoup workers: one per core, each with a WebRtcServer that all its sessions share.

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createWorker } from 'mediasoup';
import type {
  PipeTransport,
  Router,
  RouterRtpCodecCapability,
  Transport,
  WebRtcServer,
  WebRtcTransport,
  Worker,
  WorkerResourceUsage,
} from 'mediasoup/types';
import type { Logger } from 'pino';
import { unavailable } from '#routing/problem.ts';
import { childrenOf, cpuTime } from './process-stat.ts';

export interface WorkersOptions {
  count: number;
  /** Where media sockets listen. */
  listenAddress: string;
  /** What viewers and publishers are told. */
  publicAddress: string;
  /** What viewers and publishers are told besides, by IPv6. */
  publicAddressV6?: string | undefined;
  /** What nodes of the same region are told. */
  privateAddress: string;
  /** What nodes of other regions are told. */
  crossingAddress: string;
  /** The first worker's port, 0 for any. */
  firstPort: number;
  legPorts: { min: number; max: number };
  /** ICE consent in ms. */
  iceConsent: number;
  /** Reads a process's CPU time in ms; the system's own, but for tests. */
  cpuTime?: typeof cpuTime;
  log: Logger;
}

/** One worker and what hangs on it. */
export interface MediaWorker {
  readonly worker: Worker;
  readonly server: WebRtcServer;
  /** The share of its core that it used between the last two measurements, 0 to 1. */
  cpu: number;
  /** The CPU time that it had used at the last measurement, and when that was, in ms. */
  cpuTime: number;
  measuredAt: number;
  /** When it was asked what it uses, in ms, while it has not answered. */
  askedAt: number | undefined;
  /** Bytes resident. */
  memory: number;
  /** Sessions on it now. */
  sessions: number;
}

/**
 * Bytes of a worker's UDP socket, which all its sessions share, as far as the kernel allows (net.core.rmem_max). With
 * Linux's own 208 KiB a burst of viewers' checks and reports is lost while the worker is busy, and with it sessions.
 */
export const SOCKET_BUFFER = 4_194_304;

/** Milliseconds between measurements of a worker's CPU and memory; more often would show noise. */
const MEASURE_INTERVAL = 2_000;
/** It answers within a few ms; one that takes this long gets nothing new while another does not. */
const OVERDUE_AFTER = 500;
/** A worker that has not answered for this long, in ms, and did next to nothing meanwhile carries no media either. */
const HUNG_AFTER = 5_000;
/** One that works all the time has more to do than it can, and its media is late: but not for this long, in ms. */
const LOST_AFTER = 30_000;
/** Above this share of its core a silent worker counts as working. */
const WORKING = 0.1;

/** Milliseconds for a worker to start (it takes 50), and between attempts while other workers serve. */
const START_WITHIN = 10_000;
/** Milliseconds for a worker to end that is told to; it tells its peers first. */
const END_WITHIN = 1_000;
const START_PAUSE = 2_000;

/** Viewers of a stream stay on its own worker up to this many sessions there; then other workers' cores are worth a pipe. */
const SESSIONS_BEFORE_SPREADING = 100;

/**
 * Bytes of the longest message on a data channel, and that wait for a viewer who does not read: an event is a kilobyte at
 * the most. We read nothing, but a client must be able to send something (RFC 8841 section 6.1: 0 would mean any size).
 */
const SENT_MESSAGE = 16_384;
const RECEIVED_MESSAGE = 1_024;
const SCTP_BUFFER = 65_536;

/**
 * mediasoup closes a worker when this process is told to end; ours drains first. So the listeners that `make` adds for
 * signals are taken off again: those that it adds at once, for others may add theirs while it goes on.
 */
function withoutSignals<T>(make: () => Promise<T>): Promise<T> {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const before = new Map(signals.map((signal) => [signal, new Set(process.listeners(signal))]));
  const made = make();
  for (const signal of signals) {
    for (const listener of process.listeners(signal)) {
      if (!before.get(signal)?.has(listener)) process.off(signal, listener);
    }
  }
  return made;
}

/** Starts, counts and replaces the workers, and makes every router and transport of the node. */
export class Workers {
  readonly #options: WorkersOptions;
  readonly #workers: MediaWorker[] = [];
  readonly #open = { routers: 0, transports: 0 };
  /** Replacements of dead ones that are starting now. */
  #starting = 0;
  readonly #over = new AbortController();

  private constructor(options: WorkersOptions) {
    this.#options = options;
  }

  /** @throws Error when a worker does not start or a port is taken. */
  static async start(options: WorkersOptions): Promise<Workers> {
    const workers = new Workers(options);
    try {
      for (let index = 0; index < options.count; index += 1) await workers.#startOne(index);
      return workers;
    } catch (error) {
      await workers.close();
      throw error;
    }
  }

  async #startOne(index: number): Promise<void> {
    const { listenAddress, publicAddress, publicAddressV6, firstPort, log } = this.#options;
    const worker = await startWorker(this.#over.signal);
    const port = firstPort === 0 ? {} : { port: firstPort + index };
    const sockets = [
      { ip: listenAddress, announcedAddress: publicAddress, ...port },
      ...(publicAddressV6 === undefined
        ? []
        : [{ ip: '::', announcedAddress: publicAddressV6, ...port, flags: { ipv6Only: true } }]),
    ];
    let server: WebRtcServer | undefined;
    try {
      const opening = worker.createWebRtcServer({
        listenInfos: sockets.flatMap((socket) => [
          { protocol: 'udp', ...socket, sendBufferSize: SOCKET_BUFFER, recvBufferSize: SOCKET_BUFFER },
          { protocol: 'tcp', ...socket },
        ]),
      });
      server = await within(START_WITHIN, opening);
    } catch (error) {
      worker.close();
      throw new Error(
        `worker ${index} cannot listen on ${listenAddress}:${firstPort + index} (UDP and TCP)`,
        {
          cause: error,
        },
      );
    }
    if (this.#over.signal.aborted) {
      await end(worker);
      return;
    }
    if (server === undefined) {
      kill(worker.pid);
      throw new Error(`worker ${index} hung while it started`);
    }
    const media: MediaWorker = {
      worker,
      server,
      cpu: 0,
      cpuTime: 0,
      measuredAt: 0,
      askedAt: undefined,
      memory: 0,
      sessions: 0,
    };
    this.#workers[index] = media;
    this.#watch(media);
    worker.once('died', (error) => {
      if (this.#over.signal.aborted) return;
      log.error({ err: error, worker: index }, 'a media worker died; starting another');
      void this.#replace(index);
    });
  }

  /** Puts another in a dead worker's place, or ends the node where none is left or about to be. */
  async #replace(index: number): Promise<void> {
    const { log } = this.#options;
    while (!this.#over.signal.aborted) {
      this.#starting += 1;
      const failed = await this.#startOne(index).catch((error: unknown) => ({ error }));
      this.#starting -= 1;
      // A start that the end has cut short is no failure.
      if (failed === undefined || this.#over.signal.aborted) return;
      const what = 'no media worker can be started in place of the dead one';
      if (this.#running.length === 0 && this.#starting === 0) {
        log.fatal({ err: failed.error, worker: index }, what);
        process.exitCode = 1;
        // At once: without its workers the node has nothing to drain.
        process.kill(process.pid, 'SIGINT');
        return;
      }
      log.error({ err: failed.error, worker: index }, `${what}; trying again, for others serve or start`);
      await sleep(START_PAUSE, undefined, { ref: false });
    }
  }

  get #running(): MediaWorker[] {
    return this.#workers.filter(({ worker }) => !worker.closed);
  }

  /** The worker with the fewest sessions, of those that are well where there are such: another stream goes there. */
  pick(): MediaWorker {
    const running = this.#running;
    const well = running.filter(isWell);
    const [first, ...others] = well.length > 0 ? well : running;
    if (first === undefined) throw unavailable('node-full', 'no media worker is running on this node');
    return others.reduce((best, next) => (next.sessions < best.sessions ? next : best), first);
  }

  /** The worker for another viewer of a stream that lives on `home`. */
  pickForViewer(home: MediaWorker): MediaWorker {
    return home.sessions < SESSIONS_BEFORE_SPREADING && isWell(home) ? home : this.pick();
  }

  async createRouter({ worker }: MediaWorker, mediaCodecs: RouterRtpCodecCapability[]): Promise<Router> {
    const router = await worker.createRouter({ mediaCodecs });
    this.#open.routers += 1;
    router.observer.once('close', () => {
      this.#open.routers -= 1;
    });
    return router;
  }

  /**
   * A viewer's or publisher's transport, on its worker's shared ports.
   * @param data where it is to carry data channels: the longest message that the client takes, in bytes; 0: any.
   */
  async createSessionTransport(
    media: MediaWorker,
    router: Router,
    data?: { maxMessageSize: number },
  ): Promise<WebRtcTransport> {
    const transport = await router.createWebRtcTransport({
      webRtcServer: media.server,
      enableUdp: true,
      enableTcp: true,
      preferUdp: true,
      // mediasoup counts in whole seconds.
      iceConsentTimeout: Math.ceil(this.#options.iceConsent / 1000),
      ...(data === undefined ? {} : sctpOf(data)),
    });
    media.sessions += 1;
    transport.observer.once('close', () => {
      media.sessions -= 1;
    });
    return this.#counted(transport);
  }

  /** One end of a leg, on a port of its own. */
  async createLegTransport(router: Router, crossing: boolean): Promise<PipeTransport> {
    const { listenAddress, crossingAddress, privateAddress, legPorts } = this.#options;
    const transport = await router.createPipeTransport({
      listenInfo: {
        protocol: 'udp',
        ip: listenAddress,
        announcedAddress: crossing ? crossingAddress : privateAddress,
        portRange: legPorts,
      },
      enableSrtp: true,
      enableRtx: true,
    });
    return this.#counted(transport);
  }

  #counted<T extends Transport>(transport: T): T {
    this.#open.transports += 1;
    transport.observer.once('close', () => {
      this.#open.transports -= 1;
    });
    return transport;
  }

  get open(): Readonly<{ routers: number; transports: number }> {
    return this.#open;
  }

  /** The busiest worker's share of its core, 0 to 1, and all workers' bytes of memory, as last measured. */
  get usage(): Readonly<{ cpu: number; memory: number }> {
    const running = this.#running;
    const cpu = running.reduce((most, media) => Math.max(most, media.cpu), 0);
    return { cpu, memory: running.reduce((sum, media) => sum + media.memory, 0) };
  }

  /** Measures a worker; one that does not answer is ended, and its `died` brings another. */
  async #measure(media: MediaWorker): Promise<void> {
    const { worker } = media;
    media.askedAt = performance.now();
    const usage = await this.#usageOf(media);
    if (worker.closed) return;
    if (usage === undefined) {
      kill(worker.pid);
      return;
    }
    media.askedAt = undefined;
    const now = performance.now();
    const used = usage.ru_utime + usage.ru_stime;
    if (media.measuredAt > 0) media.cpu = (used - media.cpuTime) / (now - media.measuredAt);
    media.cpuTime = used;
    media.measuredAt = now;
    // ru_maxrss is in kibibytes.
    media.memory = usage.ru_maxrss * 1024;
  }

  /** @returns undefined when the worker hangs; it is closed when it ended meanwhile. */
  async #usageOf(media: MediaWorker): Promise<WorkerResourceUsage | undefined> {
    const { worker } = media;
    const { log, cpuTime: read = cpuTime } = this.#options;
    let before = await read(worker.pid);
    const asked = performance.now();
    const answered = worker.getResourceUsage().catch((error: unknown) => {
      if (worker.closed) return undefined;
      throw error;
    });
    for (;;) {
      const usage = await within(HUNG_AFTER, answered);
      if (usage !== undefined || worker.closed) return usage;
      const silentFor = Math.round(performance.now() - asked);
      const after = await read(worker.pid);
      // It may be this process that stood still: then the answer is only read by now.
      const late = await within(0, answered);
      if (late !== undefined || worker.closed) return late;
      const isWorking = (after - before) / HUNG_AFTER > WORKING;
      before = after;
      if (!isWorking || silentFor >= LOST_AFTER) {
        log.error({ pid: worker.pid }, `a media worker has been silent for ${silentFor} ms; ending it`);
        return undefined;
      }
      // Nothing new for the node, however little of the core it gets.
      media.cpu = 1;
      log.warn({ pid: worker.pid }, 'a media worker is too busy to answer; its media is late');
    }
  }

  /** Measures again and again, each worker for itself, until it is gone. */
  #watch(media: MediaWorker): void {
    const { worker } = media;
    let timer: NodeJS.Timeout | undefined;
    const wait = () => {
      if (!worker.closed) timer = setTimeout(measure, MEASURE_INTERVAL);
    };
    const measure = () => {
      this.#measure(media)
        .catch((error: unknown) => this.#options.log.warn({ err: error }, 'a media worker was not measured'))
        .finally(wait);
    };
    worker.observer.once('close', () => clearTimeout(timer));
    wait();
  }

  /** Resolves when their processes have ended: within {@link END_WITHIN}, whatever they do. */
  async close(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#workers.map(({ worker }) => end(worker)));
  }
}

/** @param signal ends the start, and what it has begun. */
async function startWorker(signal: AbortSignal): Promise<Worker> {
  const before = new Set(childrenOf(process.pid));
  const starting = withoutSignals(() => createWorker({ logLevel: 'warn' }));
  // mediasoup begins the process at once, and names it only when it runs.
  const begun = childrenOf(process.pid).filter((pid) => !before.has(pid));
  const giveUp = () => begun.forEach(kill);
  signal.addEventListener('abort', giveUp, { once: true });
  const worker = await within(START_WITHIN, starting).finally(() =>
    signal.removeEventListener('abort', giveUp),
  );
  if (worker !== undefined) return worker;
  starting.then(
    (late) => late.close(),
    () => undefined,
  );
  giveUp();
  throw new Error(`a media worker did not start within ${START_WITHIN} ms`);
}

async function end(worker: Worker): Promise<void> {
  if (worker.subprocessClosed) return;
  const ended = once(worker, 'subprocessclose');
  worker.close();
  if ((await within(END_WITHIN, ended)) !== undefined) return;
  kill(worker.pid);
  await ended;
}

/** A hung or stopped process takes no other signal. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

const isWell = ({ cpu, askedAt }: MediaWorker): boolean =>
  cpu < 1 && (askedAt === undefined || performance.now() - askedAt < OVERDUE_AFTER);

/** Undefined when it takes longer. */
async function within<T>(milliseconds: number, answer: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), milliseconds);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

const sctpOf = ({ maxMessageSize }: { maxMessageSize: number }) => ({
  enableSctp: true,
  maxSendMessageSize: Math.min(maxMessageSize || SENT_MESSAGE, SENT_MESSAGE),
  maxReceiveMessageSize: RECEIVED_MESSAGE,
  sctpSendBufferSize: SCTP_BUFFER,
  sctpPerStreamSendQueueLimit: SCTP_BUFFER,
  sctpMaxReceiverWindowBufferSize: SCTP_BUFFER,
});
