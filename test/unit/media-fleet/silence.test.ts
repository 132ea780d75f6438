// When a leg's other end counts as gone: real pipes' own bytes, and counted ones on a clock that tests move.

import type { PipeTransport, PipeTransportStat } from 'mediasoup/types';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { srtpOf } from '#media-fleet/leg.ts';
import { Pulse } from '#media-fleet/pulse.ts';
import { Silence } from '#media-fleet/silence.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { startClocks, stopClocks } from '#test/unit/routing/clock.ts';
import { type Hub, openHub, startWorkers } from './media.ts';

const AFTER = 300;
let workers: Workers;
let hub: Hub;
let transport: PipeTransport;
let silence: Silence;
/** Bytes that the transport has received. */
let bytes: number;
let started: number;
/** When it was found silent, ms after the start. */
let silentAt: number[];

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  hub = await openHub(workers);
  transport = await workers.createLegTransport(hub.router, false);
  bytes = 0;
  silentAt = [];
});
afterEach(() => {
  silence.close();
  startClocks();
  hub.router.close();
});

const stat: PipeTransportStat = {
  type: 'pipe-transport',
  transportId: 'pipe',
  timestamp: 0,
  bytesReceived: 0,
  recvBitrate: 0,
  bytesSent: 0,
  sendBitrate: 0,
  rtpBytesReceived: 0,
  rtpRecvBitrate: 0,
  rtpBytesSent: 0,
  rtpSendBitrate: 0,
  rtxBytesReceived: 0,
  rtxRecvBitrate: 0,
  rtxBytesSent: 0,
  rtxSendBitrate: 0,
  probationBytesSent: 0,
  probationSendBitrate: 0,
  tuple: { localAddress: '', localIp: '', localPort: 0, protocol: 'udp' },
};

/** On stopped clocks; the transport's bytes are the test's. */
function begin(
  getStats = async (): Promise<PipeTransportStat[]> => [{ ...stat, bytesReceived: bytes }],
): void {
  stopClocks(1_790_000_000_000);
  vi.spyOn(transport, 'getStats').mockImplementation(getStats);
  watch();
}
function watch(): void {
  started = performance.now();
  silence = new Silence({
    transport,
    after: AFTER,
    onSilent: () => silentAt.push(Math.round(performance.now() - started)),
  });
}
/** Every 10 ms so long; `each` is told the ms since the start. */
async function pass(ms: number, each: (now: number) => void = () => undefined): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    await vi.advanceTimersByTimeAsync(10);
    each(performance.now() - started);
  }
}

it('nothing at all is a silence, found once', async () => {
  begin();
  await pass(3 * AFTER);
  expect(silentAt).toEqual([AFTER]);
});

it.each([0, 10, 40, 90, 140, 150, 160, 210, 290, 300, 310])(
  'bytes and pulses that end at %i ms are found to have ended between `after` and one and a half of it later',
  async (end) => {
    begin();
    await pass(4 * AFTER, (now) => {
      if (now > end) return;
      bytes += 100;
      silence.heard();
    });
    expect(silentAt).toHaveLength(1);
    expect(silentAt[0]).toBeGreaterThanOrEqual(end + AFTER - 10);
    expect(silentAt[0]).toBeLessThanOrEqual(end + 1.5 * AFTER + 10);
  },
);

it('bytes keep it alive however long no pulse comes, and it ends soon after them', async () => {
  begin();
  await pass(20 * AFTER, () => {
    bytes += 1;
  });
  expect(silentAt).toEqual([]);
  await pass(AFTER);
  expect(silentAt).toHaveLength(1);
  expect(silentAt[0]).toBeLessThanOrEqual(21 * AFTER);
});

it('pulses keep it alive, and cost no look at the bytes', async () => {
  begin();
  await pass(20 * AFTER, (now) => {
    if (now % 100 === 0) silence.heard();
  });
  expect(silentAt).toEqual([]);
  expect(transport.getStats).not.toHaveBeenCalled();
});

it('a late pulse just before the end begins everything anew', async () => {
  begin();
  await pass(AFTER - 10);
  silence.heard();
  await pass(AFTER - 10);
  expect(silentAt).toEqual([]);
  await pass(AFTER);
  expect(silentAt).toEqual([2 * AFTER - 10]);
});

it('a pulse that comes while the bytes are being asked for counts', async () => {
  const answers: (() => void)[] = [];
  begin(() => {
    const { promise, resolve } = Promise.withResolvers<PipeTransportStat[]>();
    answers.push(() => resolve([{ ...stat, bytesReceived: bytes }]));
    return promise;
  });
  await pass(AFTER / 2);
  answers.shift()?.();
  await pass(AFTER / 2);
  expect(answers, 'the second look').toHaveLength(1);
  silence.heard();
  answers.shift()?.();
  await pass(AFTER / 2 - 10);
  expect(silentAt).toEqual([]);
});

it('closed it is never silent, not even in the middle of a look, and a later pulse does not wake it', async () => {
  const answer = Promise.withResolvers<PipeTransportStat[]>();
  begin(() => answer.promise);
  await pass(AFTER);
  silence.close();
  answer.resolve([stat]);
  silence.heard();
  await pass(10 * AFTER);
  expect(silentAt).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

it('after a silence was found, a pulse brings no other', async () => {
  begin();
  await pass(2 * AFTER);
  silence.heard();
  await pass(10 * AFTER);
  expect(silentAt).toHaveLength(1);
});

it('a transport that can say nothing is silent', async () => {
  begin(() => Promise.reject(new Error('closed')));
  await pass(2 * AFTER);
  expect(silentAt).toEqual([AFTER]);
});

it('what comes through a real pipe is noticed, and that it has ended too', async () => {
  const other = await openHub(workers);
  const [pulse, far] = [await Pulse.on(other.router), await workers.createLegTransport(other.router, false)];
  const { rtpParameters } = await far.consume({ producerId: pulse.producer.id });
  await transport.produce({ kind: 'audio', rtpParameters });
  const meet = (end: PipeTransport, from: PipeTransport) =>
    end.connect({
      ip: from.tuple.localAddress,
      port: from.tuple.localPort,
      srtpParameters: srtpOf(from),
    });
  await Promise.all([meet(far, transport), meet(transport, far)]);
  watch();
  // Nobody tells the silence of a pulse: only the bytes say that the other end is there.
  const beats = setInterval(() => pulse.send({ type: 'alive', viewers: 0, generation: 1 }), 20);
  await new Promise((resolve) => setTimeout(resolve, 3 * AFTER));
  expect(silentAt).toEqual([]);
  clearInterval(beats);
  await vi.waitFor(() => expect(silentAt).toHaveLength(1), { timeout: 5_000 });
  other.router.close();
});
