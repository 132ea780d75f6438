// The four flows on real media: publish in one region, watch in all, and count the legs.

import { describe, expect, test } from 'vitest';
import { useSessions } from './sessions.ts';
import { crossings, eventually, live, newStream, nodesOf, regions, tree, world } from './support.ts';

const { publish, watch, watchOnTwo } = useSessions({ publishToken: () => world.publishToken, tree });

describe('the cascade', () => {
  test('pictures and sound arrive in every region, in order', async () => {
    const stream = newStream('everywhere');
    await publish(stream, regions.us);
    const viewers = await Promise.all(
      [regions.us, regions.eu, regions.ap].map((region) => watch(stream, region)),
    );
    for (const viewer of viewers) {
      const numbers = await viewer.watch(30);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      expect(new Set(numbers).size).toBeGreaterThan(25);
      await eventually(
        () => viewer.samples,
        (samples) => samples > 10_000,
      );
    }
  });

  test('viewers on both edges of another region cost one crossing leg', async () => {
    const stream = newStream('one-crossing');
    await publish(stream, regions.us);
    const viewers = await watchOnTwo(stream, regions.eu, 2);
    await Promise.all(viewers.map((viewer) => viewer.watch(10)));
    const before = await live(stream);
    const [crossing, ...others] = crossings(before, regions.eu);
    expect(others).toEqual([]);
    expect(crossing?.role).toBe('secondary-origin');
    expect(crossing?.nodeId).toBe(
      before.regions.find(({ region }) => region === regions.eu.id)?.secondaryOrigin?.nodeId,
    );

    // Its bytes are one stream's: what the origin's own region gets over one leg in the same time.
    const near = await watch(stream, regions.us);
    await near.watch(5);
    const legBytes = async () => {
      const state = await live(stream);
      const [far] = crossings(state, regions.eu);
      const [here] = nodesOf(state, regions.us).filter(({ role }) => role === 'edge');
      return { far: far?.leg?.bytesReceived ?? 0, here: here?.leg?.bytesReceived ?? 0 };
    };
    const start = await legBytes();
    await Promise.all(viewers.map((viewer) => viewer.watch(90)));
    const end = await legBytes();
    const ratio = (end.far - start.far) / (end.here - start.here);
    expect(ratio).toBeGreaterThan(0.8);
    expect(ratio).toBeLessThan(1.2);
  });

  test('a region without viewers loses its leg and its claim after the timeout, others keep theirs', async () => {
    const stream = newStream('unused');
    await publish(stream, regions.us);
    const [stays, ...leave] = await Promise.all(
      [regions.ap, regions.eu, regions.eu].map((region) => watch(stream, region)),
    );
    await Promise.all(leave.map((viewer) => viewer.watch(5)));
    await Promise.all(leave.map((viewer) => viewer.stop()));
    const state = await eventually(
      () => tree(stream),
      (now) => now !== undefined && nodesOf(now, regions.eu).length === 0,
      world.timing.unusedStreamTimeout + 6_000,
    );
    if (!state) throw new Error('not live');
    expect(state.regions.find(({ region }) => region === regions.eu.id)?.secondaryOrigin).toBeNull();
    expect(crossings(state, regions.ap)).toHaveLength(1);
    await stays?.watch(10);

    // And the region can have the stream again, with a newer claim.
    const again = await watch(stream, regions.eu);
    await again.watch(5);
    const later = await tree(stream);
    expect(later?.regions.find(({ region }) => region === regions.eu.id)?.secondaryOrigin?.epoch).toBe(2);
  });

  test('in the publisher’s region viewers are on edges, which pull from the origin', async () => {
    const stream = newStream('near');
    await publish(stream, regions.us);
    const viewer = await watch(stream, regions.us);
    await viewer.watch(5);
    const state = await live(stream, regions.ap);
    const nodes = nodesOf(state, regions.us);
    expect(nodes.map(({ role, viewers }) => [role, viewers]).sort()).toEqual([
      ['edge', 1],
      ['origin', 0],
    ]);
    expect(nodes.find(({ role }) => role === 'edge')?.parent).toEqual({
      region: regions.us.id,
      nodeId: state.origin?.nodeId,
    });
    expect(state.regions.every(({ secondaryOrigin }) => secondaryOrigin === null)).toBe(true);
  });

  test('any region answers for all regions', async () => {
    const stream = newStream('any');
    await publish(stream, regions.ap);
    const viewer = await watch(stream, regions.eu);
    await viewer.watch(5);
    const [a, b, c] = await Promise.all(
      [regions.us, regions.eu, regions.ap].map((region) => tree(stream, region)),
    );
    const shape = (state: typeof a) =>
      state?.regions
        .map(({ region, nodes }) => [region, nodes.map(({ nodeId, role }) => `${nodeId} ${role}`).sort()])
        .sort();
    expect(shape(a)).toEqual(shape(b));
    expect(shape(b)).toEqual(shape(c));
    expect(a?.origin?.region).toBe(regions.ap.id);
  });
});
