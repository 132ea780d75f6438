// A simulcast whose layers send nothing but key frames, of heights that a test may change.

import type { Producer, Router } from 'mediasoup/types';
import { TrackLayers } from '#media-fleet/layers/track-layers.ts';

const SSRCS = [1_001, 1_002, 1_003];
export const HEIGHTS: readonly number[] = [180, 360, 720];

/** A VP8 key frame in one packet: RTP header, payload descriptor, frame header. */
function keyFrame(sequence: number, ssrc: number, height: number): Buffer {
  const packet = Buffer.from(`8060${'00'.repeat(10)}10${'00'.repeat(3)}9d012a${'00'.repeat(4)}`, 'hex');
  packet.writeUInt16BE(sequence & 0xffff, 2);
  packet.writeUInt32BE(3_000 * sequence, 4);
  packet.writeUInt32BE(ssrc, 8);
  packet.writeUInt16LE((height * 16) / 9, 19);
  packet.writeUInt16LE(height, 21);
  return packet;
}

export interface SentLayers {
  track: Producer;
  /** Of each layer, lowest first. */
  heights: readonly number[];
  stop(): void;
}

/** A track whose first layers send a key frame 50 times a second. */
export async function sendLayers(router: Router, count: number): Promise<SentLayers> {
  const transport = await router.createDirectTransport();
  const track = await transport.produce({
    kind: 'video',
    rtpParameters: {
      codecs: [{ mimeType: 'video/VP8', payloadType: 96, clockRate: 90_000 }],
      encodings: SSRCS.map((ssrc) => ({ ssrc })),
    },
    appData: { layers: new TrackLayers([]) },
  });
  let sequence = 0;
  const sending = setInterval(() => {
    sequence += 1;
    for (const [layer, ssrc] of SSRCS.slice(0, count).entries()) {
      track.send(keyFrame(sequence, ssrc, sent.heights[layer] ?? 0));
    }
  }, 20);
  const sent: SentLayers = { track, heights: HEIGHTS, stop: () => clearInterval(sending) };
  return sent;
}
