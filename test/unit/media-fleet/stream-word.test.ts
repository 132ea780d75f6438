// What the origin knows of the whole stream goes down the legs, through nodes that only pass it on.

import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import type { Stream } from '#media-fleet/stream.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { feedByLeg, openStream, publisherOf, selfOf } from './legs.ts';
import { startWorkers } from './media.ts';
import { plainOffer } from './sdp/offers.ts';

let workers: Workers;
const open: Stream[] = [];
beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
afterEach(() => {
  for (const stream of open.splice(0)) stream.close('node-closing');
});

async function newStream(nodeId: string): Promise<Stream> {
  const stream = await openStream(workers, { self: selfOf(nodeId) });
  open.push(stream);
  return stream;
}

it('viewers anywhere are counted by the origin, and every node below it hears the sum', async () => {
  const [origin, middle, low] = await Promise.all(['i-origin', 'i-middle', 'i-low'].map(newStream));
  if (!origin || !middle || !low) throw new Error('three streams');
  const source = await publisherOf(workers, origin);
  await origin.attach(source);
  const upper = await feedByLeg(workers, { parent: origin, child: middle });
  const lower = await feedByLeg(workers, { parent: middle, child: low });
  await vi.waitFor(() => expect(lower.word).toEqual({ isLive: true, total: 0 }), { timeout: 5_000 });

  const offer = readOffer(plainOffer([/sendonly/g, 'recvonly']));
  for (const stream of [origin, middle, low]) {
    const { viewer } = await stream.addViewer(offer);
    // As its DTLS would.
    viewer.transport.emit('dtlsstatechange', 'connected');
  }
  await vi.waitFor(
    () => expect([upper.word, lower.word]).toEqual(Array(2).fill({ isLive: true, total: 3 })),
    { timeout: 5_000 },
  );

  origin.detach(source);
  await vi.waitFor(() => expect(lower.word?.isLive).toBe(false), { timeout: 5_000 });
});
