// Media for libraries that only carry RTP: GStreamer encodes what they send and decodes what they receive.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as z from 'zod';
import type { Codec, Watching } from '../messages.ts';
import { Missing } from './adapter.ts';

const PYTHON = '/usr/bin/python3';
const SCRIPT = fileURLToPath(new URL('./rtp.py', import.meta.url));
/** ms for GStreamer to start. */
const START = 20_000;

/** What the encoder makes, and what a viewer that only carries RTP offers; `baseline` is a viewer's second H264. */
export const PAYLOAD_TYPE = { video: 96, audio: 111, baseline: 97 };
const H264 = 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=';
/** Constrained baseline, level 3.1, packets that hold one NAL unit, several, or a part of one (RFC 6184). */
export const H264_FMTP = `${H264}42e01f`;
/** The whole baseline profile, which GStreamer decodes, too: aiortc's and Chromium's first choice. */
export const H264_BASELINE_FMTP = `${H264}42001f`;

/** What these clients have: their library carries anything, GStreamer codes these. */
export const CODECS: Codec[] = ['VP8', 'VP9', 'H264'];
export const LACKS = { AV1: 'Debian 12’s GStreamer, which codes for it, has no RTP payloader of it' };

const said = z.union([
  z.object({ version: z.string() }),
  z.object({ port: z.number() }),
  z.object({ decoded: z.number(), width: z.number().optional(), height: z.number().optional() }),
  z.object({ is: z.enum(['missing', 'failed']), why: z.string() }),
]);

/** GStreamer's version. @throws Missing when a part of it is not there. */
export async function coder(): Promise<string> {
  const asked = await promisify(execFile)(PYTHON, [SCRIPT, 'about'], { timeout: START }).catch(
    (error: { stdout?: string; message: string }) => {
      if (!error.stdout) throw new Missing(error.message);
      return { stdout: error.stdout };
    },
  );
  const answer = said.parse(JSON.parse(asked.stdout));
  if ('why' in answer) throw new Missing(answer.why);
  if (!('version' in answer)) throw new Error(`rtp.py said ${asked.stdout}`);
  return answer.version;
}

export interface Encoder {
  stop(): void;
}

/** Packets, a picture's or a tone's, of an SSRC and with a payload type that a caller may overwrite. */
export async function encode(
  codec: Codec,
  onPacket: (kind: 'audio' | 'video', packet: Buffer) => void,
): Promise<Encoder> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.on('message', (packet) => {
    onPacket(payloadType(packet) === PAYLOAD_TYPE.audio ? 'audio' : 'video', packet);
  });
  const child = start(['encode', codec, String(socket.address().port)]);
  return {
    stop: () => {
      child.stdin?.end();
      socket.close();
    },
  };
}

/** Counts RTP packets of video, and has them decoded. */
export class Decoder {
  readonly #child: ChildProcess;
  readonly #socket: Socket;
  readonly #port: number;
  #startedAt = 0;
  #seen: Pick<Watching, 'decoded' | 'firstFrameMs' | 'width' | 'height'> = { decoded: 0 };
  #received = 0;
  /** Sequence numbers, as if they had more than 16 bits. */
  #first: number | undefined;
  #highest = 0;

  private constructor(child: ChildProcess, port: number, socket: Socket) {
    this.#child = child;
    this.#port = port;
    this.#socket = socket;
  }

  static async start(codec: Codec): Promise<Decoder> {
    const child = start(['decode', codec]);
    const { stdout } = child;
    if (!stdout) throw new Error('rtp.py has no stdout');
    const lines = createInterface({ input: stdout });
    const [line] = await once(lines, 'line', { signal: AbortSignal.timeout(START) });
    const answer = said.parse(JSON.parse(String(line)));
    if (!('port' in answer)) throw new Error(`GStreamer does not decode: ${line}`);
    const decoder = new Decoder(child, answer.port, createSocket('udp4'));
    lines.on('line', (text) => decoder.#hear(text));
    return decoder;
  }

  /** The POST is about to be made. */
  begin(): void {
    this.#startedAt = performance.now();
  }

  /** Takes RTP, and leaves anything else. */
  push(packet: Buffer): void {
    // Version 2, and no type of RTCP's (RFC 5761, 4).
    const type = payloadType(packet);
    if (packet.length < 12 || packet.readUInt8(0) >> 6 !== 2 || (type >= 64 && type <= 95)) return;
    this.#count(packet.readUInt16BE(2));
    const own = Buffer.from(packet);
    own.writeUInt8((own.readUInt8(1) & 0x80) | PAYLOAD_TYPE.video, 1);
    this.#socket.send(own, this.#port, '127.0.0.1');
  }

  seen(): Omit<Watching, 'is'> {
    const expected = this.#first === undefined ? 0 : this.#highest - this.#first + 1;
    // A packet that was sent again may have come twice.
    return { ...this.#seen, received: this.#received, lost: Math.max(0, expected - this.#received) };
  }

  stop(): void {
    this.#child.stdin?.end();
    this.#socket.close();
  }

  #count(sequence: number): void {
    this.#received += 1;
    this.#first ??= sequence;
    if (this.#received === 1) this.#highest = sequence;
    // The nearest number with these 16 bits.
    const step = ((sequence - this.#highest + 0x8000) & 0xffff) - 0x8000;
    this.#highest = Math.max(this.#highest, this.#highest + step);
  }

  #hear(line: string): void {
    const answer = said.parse(JSON.parse(line));
    if (!('decoded' in answer)) throw new Error(`GStreamer does not decode: ${line}`);
    const firstFrameMs =
      this.#seen.firstFrameMs ?? (answer.decoded > 0 ? performance.now() - this.#startedAt : undefined);
    this.#seen = { ...answer, firstFrameMs };
  }
}

const payloadType = (packet: Buffer): number => packet.readUInt8(1) & 0x7f;

/** It ends when its stdin does, that is with us. */
const start = (args: string[]): ChildProcess =>
  spawn(PYTHON, [SCRIPT, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
