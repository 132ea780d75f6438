// Which node a session is sent to.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fullness } from '#routing/node-record.ts';
import { type PlacementRequest, placeSession } from '#routing/placement.ts';
import { nodeRecord } from './samples.ts';

const viewer: PlacementRequest = { kind: 'viewers', group: 'edge', exclude: new Set() };
const limits = { publishers: 4, viewers: 4, cpu: 0.8 };
const empty = { publishers: 0, viewers: 0, legs: 0, cpu: 0, memory: 0 };
const edge = (nodeId: string, viewers: number) => nodeRecord({ nodeId, limits, load: { ...empty, viewers } });

it('has nowhere to send a session without a node', () => {
  expect(placeSession([], viewer)).toBeUndefined();
});

it('passes over a node that is excluded, of another group, draining or still starting', () => {
  const good = edge('i-good', 3);
  const nodes = [
    edge('i-excluded', 0),
    { ...edge('i-origin', 0), group: 'origin' as const },
    { ...edge('i-draining', 0), state: 'DRAINING' as const },
    { ...edge('i-starting', 0), state: 'STARTING' as const },
  ];
  const request = { ...viewer, exclude: new Set(['i-excluded']) };
  expect(placeSession(nodes, request)).toBeUndefined();
  expect(placeSession([...nodes, good], request)).toBe(good);
});

it('passes over a node that is full by its sessions or by its CPU', () => {
  const byViewers = edge('i-full', 4);
  const byCpu = { ...edge('i-hot', 0), load: { ...empty, cpu: 0.8 } };
  const closed = { ...edge('i-closed', 0), limits: { ...limits, viewers: 0 } };
  expect(placeSession([byViewers, byCpu, closed], viewer)).toBeUndefined();
});

it('a node full of viewers still takes a publisher', () => {
  const node = { ...edge('i-1', 4), group: 'origin' as const };
  expect(placeSession([node], { ...viewer, kind: 'publishers', group: 'origin' })).toBe(node);
});

it('takes the emptier of two different nodes drawn at random', () => {
  const nodes = [edge('i-a', 3), edge('i-b', 1), edge('i-c', 2)];
  const drawn = (...numbers: number[]) =>
    placeSession(nodes, { ...viewer, random: () => numbers.shift() ?? 0 });
  expect(drawn(0, 0)?.nodeId, 'a and b').toBe('i-b');
  expect(drawn(0, 0.99)?.nodeId, 'a and c').toBe('i-c');
  expect(drawn(0.4, 0)?.nodeId, 'b and c').toBe('i-b');
  expect(drawn(0.99, 0)?.nodeId, 'c and a').toBe('i-c');
  expect(drawn(0.99, 0.99)?.nodeId, 'c and b').toBe('i-b');
});

it('does not send everyone to the emptiest node of a snapshot', () => {
  const nodes = [edge('i-empty', 0), ...['i-1', 'i-2', 'i-3', 'i-4', 'i-5'].map((id) => edge(id, 1))];
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const placed = Array.from({ length: 1_000 }, () => placeSession(nodes, { ...viewer, random })?.nodeId);
  const share = placed.filter((id) => id === 'i-empty').length / placed.length;
  // Two of six: drawn in a third of the pairs.
  expect(share).toBeGreaterThan(0.28);
  expect(share).toBeLessThan(0.39);
});

const record = fc
  .record({
    nodeId: fc.constantFrom('i-1', 'i-2', 'i-3', 'i-4', 'i-5'),
    group: fc.constantFrom('origin' as const, 'edge' as const),
    state: fc.constantFrom('STARTING' as const, 'SERVING' as const, 'DRAINING' as const),
    load: fc.record({
      publishers: fc.nat(5),
      viewers: fc.nat(5),
      legs: fc.nat(5),
      cpu: fc.double({ min: 0, max: 1, noNaN: true }),
      memory: fc.nat(),
    }),
    limits: fc.record({ publishers: fc.nat(5), viewers: fc.nat(5), cpu: fc.constantFrom(0.5, 0.85, 1) }),
  })
  .map(nodeRecord);

it('never picks a node that may not take the session, and picks one whenever one may', () => {
  const request = fc.record({
    kind: fc.constantFrom('publishers' as const, 'viewers' as const),
    group: fc.constantFrom('origin' as const, 'edge' as const),
    exclude: fc.array(fc.constantFrom('i-1', 'i-2', 'i-3')).map((ids) => new Set<string>(ids)),
    random: fc
      .infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }))
      .map((numbers) => () => {
        const { value } = numbers.next();
        return typeof value === 'number' ? value : 0;
      }),
  });
  fc.assert(
    fc.property(fc.array(record, { maxLength: 8 }), request, (nodes, given) => {
      const able = nodes.filter(
        (node) =>
          node.group === given.group &&
          node.state === 'SERVING' &&
          !given.exclude.has(node.nodeId) &&
          fullness(node, given.kind) < 1,
      );
      const placed = placeSession(nodes, given);
      if (able.length === 0) expect(placed).toBeUndefined();
      else expect(able).toContain(placed);
      // Of two, the fuller is taken never.
      if (able.length === 2 && placed) {
        const least = Math.min(...able.map((node) => fullness(node, given.kind)));
        expect(fullness(placed, given.kind)).toBe(least);
      }
    }),
  );
});
