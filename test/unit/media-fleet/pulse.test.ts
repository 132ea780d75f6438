// The pulse of a leg, between two real hubs joined by a pipe with SRTP.

import { once } from 'node:events';
import type { PipeTransport, Producer } from 'mediasoup/types';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { srtpOf } from '#media-fleet/leg.ts';
import { type Beat, Pulse, PulseListener } from '#media-fleet/pulse.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { type Hub, openHub, startWorkers } from './media.ts';

interface End {
  hub: Hub;
  pulse: Pulse;
  pipe: PipeTransport;
}

let workers: Workers;
let parent: End;
let child: End;
/** The parent's pulse at the child, and the child's at the parent. */
let down: { incoming: Producer; listener: PulseListener };
let up: { incoming: Producer; listener: PulseListener };

async function openEnd(): Promise<End> {
  const hub = await openHub(workers);
  return {
    hub,
    pulse: await Pulse.on(hub.router),
    pipe: await workers.createLegTransport(hub.router, false),
  };
}

const meet = (end: End, other: End) =>
  end.pipe.connect({
    ip: other.pipe.tuple.localAddress,
    port: other.pipe.tuple.localPort,
    srtpParameters: srtpOf(other.pipe),
  });

/** One end's pulse, carried to the other as a leg carries it. */
async function carry(from: End, to: End): Promise<typeof down> {
  const { rtpParameters } = await from.pipe.consume({ producerId: from.pulse.producer.id });
  const incoming = await to.pipe.produce({ kind: 'audio', rtpParameters });
  return { incoming, listener: await to.pulse.listen(incoming) };
}

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  [parent, child] = await Promise.all([openEnd(), openEnd()]);
  [down, up] = await Promise.all([carry(parent, child), carry(child, parent)]);
  await Promise.all([meet(parent, child), meet(child, parent)]);
});
afterEach(() => {
  for (const { hub } of [parent, child]) hub.router.close();
});

it('a beat for a worker that died is lost, and throws at nobody', async () => {
  const dying = await startWorkers();
  onTestFinished(() => dying.close());
  const [first, { router }] = [await openHub(dying), await openHub(dying)];
  const pulse = await Pulse.on(router);
  // mediasoup closes the routers one after the other.
  const sent = new Promise((resolve) => {
    first.router.observer.once('close', () => {
      const { closed } = pulse.producer;
      resolve({ closed, result: attempt(() => pulse.send({ type: 'alive', viewers: 1, generation: 1 })) });
    });
  });
  process.kill(first.media.worker.pid, 'SIGKILL');
  expect(await sent).toEqual({ closed: false, result: undefined });
});
/** What was thrown. */
function attempt(act: () => void): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** The next beat that the listener hears. */
async function heard(listener: PulseListener): Promise<Beat> {
  const [beat] = await once(listener, 'beat', { signal: AbortSignal.timeout(5_000) });
  return beat;
}

it('beats arrive through the pipe, in order, as they were sent', async () => {
  const beats: Beat[] = [
    { type: 'alive', viewers: 0, generation: 4_294_967_294 },
    { type: 'alive', viewers: 4_294_967_295, generation: 4_294_967_294 },
    { type: 'superseded', viewers: 1, generation: 4_294_967_294 },
    { type: 'ended', viewers: 2, generation: 4_294_967_294 },
    { type: 'bye', viewers: 3, generation: 4_294_967_294 },
  ];
  for (const beat of beats) {
    const arriving = heard(down.listener);
    parent.pulse.send(beat);
    expect(await arriving).toEqual(beat);
  }
});

it.each([
  { isLive: true, total: 4_294_967_295 },
  { isLive: false, total: 0 },
  { isLive: true, total: undefined },
])('what the origin knows of the whole stream arrives with it: %j', async (word) => {
  const beat: Beat = { type: 'alive', viewers: 5, generation: 6, word };
  const arriving = heard(down.listener);
  parent.pulse.send(beat);
  expect(await arriving).toEqual(beat);
});

it('goes both ways over one pipe, each end hearing the other only', async () => {
  const atChild = heard(down.listener);
  const atParent = heard(up.listener);
  parent.pulse.send({ type: 'alive', viewers: 1, generation: 4_294_967_294 });
  child.pulse.send({ type: 'alive', viewers: 2, generation: 4_294_967_294 });
  expect(await atChild).toEqual({ type: 'alive', viewers: 1, generation: 4_294_967_294 });
  expect(await atParent).toEqual({ type: 'alive', viewers: 2, generation: 4_294_967_294 });
});

it('one beat reaches every leg of the hub', async () => {
  const second = await openEnd();
  const pipe = await workers.createLegTransport(parent.hub.router, false);
  const another: End = { ...parent, pipe };
  const { listener } = await carry(another, second);
  await Promise.all([meet(another, second), meet(second, another)]);
  const both = Promise.all([heard(down.listener), heard(listener)]);
  parent.pulse.send({ type: 'alive', viewers: 7, generation: 4_294_967_294 });
  expect(await both).toEqual([
    { type: 'alive', viewers: 7, generation: 4_294_967_294 },
    { type: 'alive', viewers: 7, generation: 4_294_967_294 },
  ]);
  second.hub.router.close();
});

it('a pulse goes on past the turn of its 16-bit sequence numbers', async () => {
  const [old, late] = await Promise.all([openEnd(), openEnd()]);
  for (let sent = 0; sent < 65_530; sent += 1)
    old.pulse.send({ type: 'alive', viewers: 0, generation: 4_294_967_294 });
  const { listener } = await carry(old, late);
  await Promise.all([meet(old, late), meet(late, old)]);
  for (let viewers = 1; viewers <= 12; viewers += 1) {
    const arriving = heard(listener);
    old.pulse.send({ type: 'alive', viewers, generation: 3 });
    expect(await arriving).toEqual({ type: 'alive', viewers, generation: 3 });
  }
  for (const { hub } of [old, late]) hub.router.close();
});

/** A beat with a word, as it goes over the wire; `extension`, where there is one, is a header extension's words. */
function packetWithWord(extension?: Buffer): Buffer {
  const header = beatOf(7).subarray(0, 12);
  if (extension) header.writeUInt8(0x90, 0);
  const word = Buffer.from([3, 0, 0, 1, 2]);
  return Buffer.concat([header, extension ?? Buffer.alloc(0), word, beatOf(7).subarray(12)]);
}

it('a node of an earlier release, which reads the last nine bytes, takes a beat with a word as one without', async () => {
  const packets: Buffer[] = [];
  const transport = await parent.hub.router.createDirectTransport();
  const consumer = await transport.consume({
    producerId: parent.pulse.producer.id,
    rtpCapabilities: parent.hub.router.rtpCapabilities,
  });
  const arrived = once(consumer, 'rtp', { signal: AbortSignal.timeout(5_000) });
  consumer.on('rtp', (packet) => packets.push(packet));
  parent.pulse.send({ type: 'ended', viewers: 8, generation: 9, word: { isLive: true, total: 10 } });
  await arrived;
  const beat = packets[0]?.subarray(-9);
  expect([beat?.readUInt8(0), beat?.readUInt32BE(1), beat?.readUInt32BE(5)]).toEqual([2, 8, 9]);
});

it('a word is read behind header extensions, a header extension is not taken for one, and what is cut short is no beat', async () => {
  const { consumer, heardBeats } = await listening();
  const extension = Buffer.from([0xbe, 0xde, 0, 2, 0x10, 0xff, 0, 0, 0, 0, 0, 0]);
  const cutShort = packetWithWord();
  cutShort.writeUInt8(0x90, 0);
  cutShort.writeUInt16BE(0xffff, 14);
  const bare = Buffer.concat([packetWithWord(extension).subarray(0, 24), beatOf(7).subarray(12)]);
  for (const packet of [packetWithWord(), packetWithWord(extension), bare, cutShort]) {
    consumer.emit('rtp', packet);
  }
  const word = { isLive: true, total: 258 };
  expect(heardBeats.map((beat) => beat.word)).toEqual([word, word, undefined]);
});

/** A listener whose packets a test makes up, the beats that it heard, and their viewers. */
async function listening() {
  const transport = await parent.hub.router.createDirectTransport();
  const consumer = await transport.consume({
    producerId: parent.pulse.producer.id,
    rtpCapabilities: parent.hub.router.rtpCapabilities,
  });
  const beats: number[] = [];
  const heardBeats: Beat[] = [];
  new PulseListener(consumer).on('beat', (beat) => {
    beats.push(beat.viewers);
    heardBeats.push(beat);
  });
  return { consumer, beats, heardBeats };
}

/** A beat as the other end sent it when it was at this sequence number; its viewers are the number. */
function beatOf(sequence: number, type = 0): Buffer {
  const packet = Buffer.alloc(21);
  packet.writeUInt8(0x80, 0);
  packet.writeUInt8(111, 1);
  packet.writeUInt16BE(sequence, 2);
  packet.writeUInt32BE(1_000, 8);
  packet.writeUInt8(type, 12);
  packet.writeUInt32BE(sequence, 13);
  return packet;
}

it.each<[string, number[], number[]]>([
  ['in order', [1, 2, 3], [1, 2, 3]],
  ['after a gap', [1, 5, 6], [1, 5, 6]],
  ['late', [1, 3, 2, 4], [1, 3, 4]],
  ['very late', [40_000, 8_000, 40_001], [40_000, 40_001]],
  ['past the turn', [65_534, 65_535, 0, 1], [65_534, 65_535, 0, 1]],
  ['late past the turn', [65_534, 1, 65_535, 0, 2], [65_534, 1, 2]],
  ['half a turn on', [0, 32_767, 65_534], [0, 32_767, 65_534]],
  ['more than half a turn on, which is late', [0, 32_769, 1], [0, 1]],
])('of beats that come %s those count that are news', async (_, sent, heardOf) => {
  const { consumer, beats } = await listening();
  for (const sequence of sent) consumer.emit('rtp', beatOf(sequence));
  expect(beats).toEqual(heardOf);
});

it('what is no beat does not count as the newest either', async () => {
  const { consumer, beats } = await listening();
  for (const packet of [beatOf(1), beatOf(9, 77), beatOf(2)]) consumer.emit('rtp', packet);
  expect(beats).toEqual([1, 2]);
});

it('what is no beat is not heard', async () => {
  const beats: Beat[] = [];
  down.listener.on('beat', (beat) => beats.push(beat));
  const packet = Buffer.alloc(21);
  packet.writeUInt8(0x80, 0);
  packet.writeUInt8(111, 1);
  packet.writeUInt16BE(1, 2);
  packet.writeUInt32BE(1_000, 8);
  packet.writeUInt8(9, 12);
  parent.pulse.producer.send(packet);
  parent.pulse.producer.send(packet.subarray(0, 13));
  const arriving = heard(down.listener);
  for (let sent = 0; sent < 3; sent += 1)
    parent.pulse.send({ type: 'bye', viewers: 5, generation: 4_294_967_294 });
  await arriving;
  expect(new Set(beats.map(({ type }) => type))).toEqual(new Set(['bye']));
});

it('a hub that is closed sends nothing, without an error', async () => {
  parent.hub.router.close();
  expect(() => parent.pulse.send({ type: 'alive', viewers: 1, generation: 4_294_967_294 })).not.toThrow();
});
