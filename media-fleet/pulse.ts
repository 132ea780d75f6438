// The pulse of a leg: small RTP packets inside its SRTP pipe, so that they live and die with the media's own path.

import { EventEmitter } from 'node:events';
import type { Consumer, DirectTransport, Producer, Router } from 'mediasoup/types';
import { unlessDead } from './dead-worker.ts';
import { payloadOf, RTP_HEADER } from './rtp-packet.ts';

/**
 * What a beat says. Down a leg: `alive`, look for a parent again (`superseded`), the stream is over (`ended`).
 * Up a leg: `alive`, the child leaves (`bye`).
 */
export type PulseType = 'alive' | 'superseded' | 'ended' | 'bye';

export interface Beat {
  type: PulseType;
  /** Connected viewers at the sender and below it; for its parent, a child has no use for it. */
  viewers: number;
  /** The sender's source, numbered: a leg that was made of another has old tracks. For its children. */
  generation: number;
  /** For its children; undefined where the sender is of a release that does not say. */
  word?: StreamWord | undefined;
}

/** What the origin knows of the whole stream, passed down from node to node. */
export interface StreamWord {
  /** Whether a publisher's media comes. */
  isLive: boolean;
  /** Connected viewers in all regions; undefined where a node on the way down does not say. */
  total: number | undefined;
}

const TYPES: readonly PulseType[] = ['alive', 'superseded', 'ended', 'bye'];

/** One byte for the type, four each for the viewers and the generation. */
const BEAT_LENGTH = 9;
/**
 * One byte of flags and four for the total. It stands before the beat: nodes of earlier releases read a packet from its
 * end, and take no notice.
 */
const WORD_LENGTH = 5;
const IS_LIVE = 1;
const HAS_TOTAL = 2;
/** The 48 kHz ticks of Opus between two beats; only has to move on. */
const TICKS_PER_BEAT = 960;

/** Any number will do for an SSRC inside a pipe: mediasoup gives each consumer its own. */
const SSRC = 1_000;

const codec = { mimeType: 'audio/opus', payloadType: 111, clockRate: 48_000, channels: 2 } as const;

/**
 * A hub's pulse: one producer that every leg consumes, down to its children and up to its parent, and a consumer for
 * each pulse that a leg brings. Opus by name, for a router carries no other small audio; nothing decodes it.
 */
export class Pulse {
  readonly #transport: DirectTransport;
  readonly #router: Router;
  readonly producer: Producer;
  #sequence = 0;

  private constructor(router: Router, transport: DirectTransport, producer: Producer) {
    this.#router = router;
    this.#transport = transport;
    this.producer = producer;
  }

  static async on(router: Router): Promise<Pulse> {
    const transport = await router.createDirectTransport();
    const producer = await transport.produce({
      kind: 'audio',
      rtpParameters: { codecs: [codec], encodings: [{ ssrc: SSRC }] },
    });
    return new Pulse(router, transport, producer);
  }

  /** Sends a beat to every leg of the hub. */
  send({ type, viewers, generation, word }: Beat): void {
    if (this.producer.closed) return;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const at = RTP_HEADER + (word === undefined ? 0 : WORD_LENGTH);
    const packet = Buffer.alloc(at + BEAT_LENGTH);
    packet.writeUInt8(0x80, 0);
    packet.writeUInt8(codec.payloadType, 1);
    packet.writeUInt16BE(this.#sequence, 2);
    packet.writeUInt32BE((this.#sequence * TICKS_PER_BEAT) >>> 0, 4);
    packet.writeUInt32BE(SSRC, 8);
    if (word !== undefined) {
      const flags = (word.isLive ? IS_LIVE : 0) | (word.total === undefined ? 0 : HAS_TOTAL);
      packet.writeUInt8(flags, RTP_HEADER);
      packet.writeUInt32BE(word.total ?? 0, RTP_HEADER + 1);
    }
    packet.writeUInt8(TYPES.indexOf(type), at);
    packet.writeUInt32BE(viewers, at + 1);
    packet.writeUInt32BE(generation, at + 5);
    unlessDead(() => this.producer.send(packet));
  }

  /** Listens to the pulse that `incoming` carries; closing `incoming` ends it. */
  async listen(incoming: Producer): Promise<PulseListener> {
    const consumer = await this.#transport.consume({
      producerId: incoming.id,
      rtpCapabilities: this.#router.rtpCapabilities,
    });
    return new PulseListener(consumer);
  }
}

/** Emits `beat` for every beat that arrives in its order. */
export class PulseListener extends EventEmitter<{ beat: [Beat] }> {
  /** The newest beat's sequence number. */
  #newest: number | undefined;

  constructor(consumer: Consumer) {
    super();
    consumer.on('rtp', (packet) => {
      const beat = readBeat(packet);
      if (beat && this.#isNews(packet.readUInt16BE(2))) this.emit('beat', beat);
    });
  }

  /** A beat that was lost and sent again comes after later ones, and says what is no longer so (RFC 1982's arithmetic). */
  #isNews(sequence: number): boolean {
    if (this.#newest !== undefined && ((sequence - this.#newest) & 0xffff) >= 0x8000) return false;
    this.#newest = sequence;
    return true;
  }
}

/** Nodes of earlier releases send a beat alone. */
function readBeat(packet: Buffer): Beat | undefined {
  const payload = payloadOf(packet);
  const at = payload.length - BEAT_LENGTH;
  if (at < 0) return undefined;
  const type = TYPES[payload.readUInt8(at)];
  if (type === undefined) return undefined;
  const beat = { type, viewers: payload.readUInt32BE(at + 1), generation: payload.readUInt32BE(at + 5) };
  return at < WORD_LENGTH ? beat : { ...beat, word: readWord(payload) };
}

function readWord(payload: Buffer): StreamWord {
  const flags = payload.readUInt8(0);
  const total = (flags & HAS_TOTAL) === 0 ? undefined : payload.readUInt32BE(1);
  return { isLive: (flags & IS_LIVE) !== 0, total };
}
