// The size of a picture, read from the RTP payload that a key frame begins with: VP8, VP9 and H264.

import type { PictureSize } from './track-layers.ts';

/** Codecs whose sizes can be read; AV1's stand behind a header that nothing else here needs to understand. */
export const isReadable = (mimeType: string): boolean => READERS.has(mimeType.toLowerCase());

/**
 * @param payload an RTP packet's, without header and padding.
 * @returns undefined where the packet does not say: most do not, and a broken one does not either.
 */
export function pictureSize(mimeType: string, payload: Uint8Array): PictureSize | undefined {
  try {
    const size = READERS.get(mimeType.toLowerCase())?.(payload);
    return size && size.width > 0 && size.height > 0 ? size : undefined;
  } catch (error) {
    if (error instanceof CutShort) return undefined;
    throw error;
  }
}

/** The packet ends before what it should say. */
class CutShort extends Error {}

/** RFC 7741 section 4.2 (descriptor) and RFC 6386 section 9.1 (frame header). */
function vp8(payload: Uint8Array): PictureSize | undefined {
  const bytes = new Bits(payload);
  const [extended, , , begins, , partition] = [1, 1, 1, 1, 1, 3].map((count) => bytes.read(count));
  if (extended) {
    const [pictureId, tl0PicIdx, temporal, keyIndex] = [1, 1, 1, 1, 4].map((count) => bytes.read(count));
    if (pictureId && bytes.read(1)) bytes.skip(15);
    else if (pictureId) bytes.skip(7);
    if (tl0PicIdx) bytes.skip(8);
    if (temporal || keyIndex) bytes.skip(8);
  }
  if (!begins || partition !== 0) return undefined;
  bytes.skip(7);
  if (bytes.read(1) === 1) return undefined;
  bytes.skip(16);
  if (bytes.read(24) !== 0x9d012a) return undefined;
  // Little-endian, two bits of scaling on top of each.
  const [width, height] = [0, 1].map(() => (bytes.read(8) | (bytes.read(8) << 8)) & 0x3fff);
  return width === undefined || height === undefined ? undefined : { width, height };
}

/** RFC 9628 section 4.2: the scalability structure, of which the last spatial layer is the whole picture. */
function vp9(payload: Uint8Array): PictureSize | undefined {
  const bits = new Bits(payload);
  const [pictureId, predicted, layers, flexible, , , structure] = [1, 1, 1, 1, 1, 1, 1, 1].map((count) =>
    bits.read(count),
  );
  if (!structure) return undefined;
  if (pictureId && bits.read(1)) bits.skip(15);
  else if (pictureId) bits.skip(7);
  if (layers) bits.skip(flexible ? 8 : 16);
  if (flexible && predicted) {
    do bits.skip(7);
    while (bits.read(1));
  }
  const spatial = bits.read(3) + 1;
  const hasSizes = bits.read(1);
  bits.skip(4);
  if (!hasSizes) return undefined;
  bits.skip((spatial - 1) * 32);
  return { width: bits.read(16), height: bits.read(16) };
}

/** NAL unit types of RFC 6184 section 5.2. */
const SPS = 7;
const STAP_A = 24;

/** RFC 6184 section 5.6 and 5.7.1: a sequence parameter set comes alone, or first in an aggregation. */
function h264(payload: Uint8Array): PictureSize | undefined {
  const type = (payload[0] ?? 0) & 0x1f;
  if (type === SPS) return sequenceParameters(payload);
  if (type !== STAP_A) return undefined;
  for (let at = 1; at + 2 < payload.length; ) {
    const length = ((payload[at] ?? 0) << 8) | (payload[at + 1] ?? 0);
    const unit = payload.subarray(at + 2, at + 2 + length);
    if (((unit[0] ?? 0) & 0x1f) === SPS) return sequenceParameters(unit);
    at += 2 + length;
  }
  return undefined;
}

/** Profiles whose sequence parameters say the chroma format (ITU-T H.264 section 7.3.2.1.1). */
const WITH_CHROMA = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

/** ITU-T H.264 section 7.3.2.1.1, up to the cropping. */
function sequenceParameters(unit: Uint8Array): PictureSize {
  const bits = new Bits(withoutEmulation(unit));
  bits.skip(8);
  const profile = bits.read(8);
  bits.skip(16);
  bits.unsigned();
  let chroma = 1;
  if (WITH_CHROMA.has(profile)) {
    chroma = bits.unsigned();
    if (chroma === 3) bits.skip(1);
    bits.unsigned();
    bits.unsigned();
    bits.skip(1);
    if (bits.read(1)) {
      for (let list = 0; list < (chroma === 3 ? 12 : 8); list += 1) {
        if (bits.read(1)) skipScalingList(bits, list < 6 ? 16 : 64);
      }
    }
  }
  bits.unsigned();
  const orderType = bits.unsigned();
  if (orderType === 0) bits.unsigned();
  if (orderType === 1) {
    bits.skip(1);
    bits.unsigned();
    bits.unsigned();
    for (let frames = bits.unsigned(); frames > 0; frames -= 1) bits.unsigned();
  }
  bits.unsigned();
  bits.skip(1);
  const widthInBlocks = bits.unsigned() + 1;
  const heightInUnits = bits.unsigned() + 1;
  const fields = bits.read(1) ? 1 : 2;
  if (fields === 2) bits.skip(1);
  bits.skip(1);
  const [left, right, top, bottom] = bits.read(1)
    ? [bits.unsigned(), bits.unsigned(), bits.unsigned(), bits.unsigned()]
    : [0, 0, 0, 0];
  // Table 6-1: what a sample of chroma covers.
  const [across, down] = [chroma === 1 || chroma === 2 ? 2 : 1, chroma === 1 ? 2 : 1];
  return {
    width: 16 * widthInBlocks - across * (left + right),
    height: fields * (16 * heightInUnits - down * (top + bottom)),
  };
}

/** Section 7.3.2.1.1.1. */
function skipScalingList(bits: Bits, size: number): void {
  let [last, next] = [8, 8];
  for (let index = 0; index < size; index += 1) {
    if (next !== 0) next = (last + bits.signed() + 256) % 256;
    last = next === 0 ? last : next;
  }
}

/** Section 7.4.1.1: a 3 after two zero bytes only keeps start codes away. */
const withoutEmulation = (unit: Uint8Array): Uint8Array =>
  unit.filter((byte, at) => !(byte === 3 && at >= 2 && unit[at - 1] === 0 && unit[at - 2] === 0));

/** Reads bits from the highest on. @throws CutShort past the end. */
class Bits {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** @param count 0 to 31. */
  read(count: number): number {
    let value = 0;
    for (let left = count; left > 0; left -= 1) {
      const byte = this.#bytes[this.#at >> 3];
      if (byte === undefined) throw new CutShort();
      value = (value << 1) | ((byte >> (7 - (this.#at & 7))) & 1);
      this.#at += 1;
    }
    return value;
  }

  skip(count: number): void {
    this.#at += count;
  }

  /** Exp-Golomb code (ITU-T H.264 section 9.1). */
  unsigned(): number {
    let zeros = 0;
    while (this.read(1) === 0) zeros += 1;
    // 2^31 - 2 is beyond every value here.
    if (zeros > 30) throw new CutShort();
    return 2 ** zeros - 1 + this.read(zeros);
  }

  signed(): number {
    const code = this.unsigned();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}

const READERS: ReadonlyMap<string, (payload: Uint8Array) => PictureSize | undefined> = new Map([
  ['video/vp8', vp8],
  ['video/vp9', vp9],
  ['video/h264', h264],
]);
