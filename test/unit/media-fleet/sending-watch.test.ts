// Whether a publisher sends, as looks at a real track find it on a clock that the test moves.

import type { Producer } from 'mediasoup/types';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { SendingWatch } from '#media-fleet/sending-watch.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { eventually } from '#test/eventually.ts';
import { type Hub, openHub, silent, startWorkers } from './media.ts';

const SSRC = 1_001;
/** By the watch's clock, which a look moves by a second, ms. */
const LOOKS_FOR = 120_000;

let workers: Workers;
let hub: Hub;
let track: Producer;
let watch: SendingWatch;

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  hub = await openHub(workers);
  const transport = await hub.router.createDirectTransport();
  track = await transport.produce({
    kind: 'audio',
    rtpParameters: {
      codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48_000, channels: 2 }],
      encodings: [{ ssrc: SSRC }],
    },
  });
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  watch = new SendingWatch([track], silent);
  watch.start();
});
afterEach(() => {
  watch.close();
  vi.useRealTimers();
  hub.router.close();
});

let sequence = 0;
function send(): void {
  sequence += 1;
  const packet = Buffer.alloc(13, 1);
  packet.writeUInt16BE(0x806f, 0);
  packet.writeUInt16BE(sequence, 2);
  packet.writeUInt32BE(960 * sequence, 4);
  packet.writeUInt32BE(SSRC, 8);
  track.send(packet);
}

/** Looks until it is found so. */
const found = (isSending: boolean, before: () => void) =>
  eventually(
    () => {
      before();
      vi.advanceTimersByTime(1_000);
      return watch.isSending;
    },
    (state) => state === isSending,
    LOOKS_FOR,
  );

it('a publisher that stops is silent, and sends again when it goes on', async () => {
  expect(watch.isSending).toBe(true);
  await found(false, () => undefined);
  await found(true, send);
  await found(false, () => undefined);
});

it('a track that closes ends no looks', async () => {
  await found(false, () => undefined);
  track.close();
  vi.advanceTimersByTime(1_000);
  expect(watch.isSending).toBe(false);
});
