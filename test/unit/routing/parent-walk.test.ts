// Finding a parent with room: down the tree, past those that cannot, and never in a circle.

import { expect, it } from 'vitest';
import type { LegAnswer } from '#routing/node-messages.ts';
import { askParents } from '#routing/parent-walk.ts';
import { Problem } from '#routing/problem.ts';
import { nodeRecord } from './samples.ts';

const stale: LegAnswer = { v: 1, result: 'stale', reason: 'asked' };
const elsewhere = (...nodeIds: string[]): LegAnswer => ({ v: 1, result: 'elsewhere', nodeIds });
const notHere = new Problem(410, 'stream-not-here', 'not here');
const full = new Problem(503, 'no-room', 'full');

/** Asks `root`, whose tree answers so. @param ending nodes that drain. @returns the outcome and who was asked. */
async function walk(tree: Record<string, LegAnswer | Error>, ending: readonly string[] = []) {
  const nodes = Object.keys(tree).map((nodeId) =>
    nodeRecord({ nodeId, state: ending.includes(nodeId) ? 'DRAINING' : 'SERVING' }),
  );
  const asked: string[] = [];
  const [root] = nodes;
  if (!root) throw new Error('an empty tree');
  const outcome = await askParents(root, nodes, async ({ nodeId }) => {
    asked.push(nodeId);
    const answer = tree[nodeId];
    if (answer === undefined || answer instanceof Error) throw answer;
    return answer;
  }).catch((error: unknown) => error);
  return { outcome, asked };
}

it('goes down to those that are named', async () => {
  const { outcome, asked } = await walk({ root: elsewhere('one'), one: elsewhere('two'), two: stale });
  expect(outcome).toEqual(stale);
  expect(asked).toEqual(['root', 'one', 'two']);
});

it('one that is named and lost the stream, or is full, is passed over', async () => {
  const { outcome, asked } = await walk({
    root: elsewhere('one', 'two', 'three'),
    one: notHere,
    two: full,
    three: stale,
  });
  expect(outcome).toEqual(stale);
  expect(asked[0]).toBe('root');
});

it('those that are to end are asked last', async () => {
  const named = ['a', 'b', 'c', 'd'];
  const tree = Object.fromEntries(named.map((nodeId) => [nodeId, full]));
  const { asked } = await walk({ root: elsewhere(...named), ...tree }, ['a', 'd']);
  expect(asked.slice(1, 3).toSorted()).toEqual(['b', 'c']);
  expect(asked).toHaveLength(5);
});

it('what the first says counts', async () => {
  expect((await walk({ root: notHere })).outcome).toBe(notHere);
  expect((await walk({ root: full })).outcome).toBe(full);
});

it('when nobody has room that is a 503', async () => {
  const { outcome, asked } = await walk({
    root: elsewhere('one', 'two'),
    one: full,
    two: elsewhere('root', 'one'),
  });
  expect(outcome).toMatchObject({ status: 503, code: 'no-room' });
  expect(asked.toSorted()).toEqual(['one', 'root', 'two']);
});

it('a node that cannot be reached is told of, for its caller probes it', async () => {
  const broken = new Error('no answer');
  expect((await walk({ root: elsewhere('one'), one: broken })).outcome).toBe(broken);
});

it('asks no more than eight', async () => {
  const names = Array.from({ length: 30 }, (_, index) => `edge-${index}`);
  const { outcome, asked } = await walk({
    root: elsewhere(...names),
    ...Object.fromEntries(names.map((name) => [name, full])),
  });
  expect(outcome).toMatchObject({ status: 503 });
  expect(asked).toHaveLength(8);
});
