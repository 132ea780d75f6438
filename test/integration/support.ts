// What integration tests share: the world's addresses, the cascade tree, tokens, and waiting for a state.

import { randomUUID } from 'node:crypto';
import { inject } from 'vitest';
import { type NewToken, signToken } from '#routing/tokens.ts';
import { readTree, type Tree } from '#test/cascade-tree.ts';

export { crossings, nodesOf, readTree, type Tree } from '#test/cascade-tree.ts';
export { eventually } from '#test/eventually.ts';

export const world = inject('world');
const [us, eu, ap] = world.regions;
if (!us || !eu || !ap) throw new Error('the world has not got its three regions');
export const regions = { us, eu, ap };

export const whip = (region: { api: string }, stream: string) => `${region.api}/whip/${stream}`;
export const whep = (region: { api: string }, stream: string) => `${region.api}/whep/${stream}`;

/** A region of a world of the test's own. @throws Error when it has not so many. */
export function regionAt<Region>({ regions: all }: { regions: readonly Region[] }, index: number): Region {
  const found = all[index];
  if (found === undefined) throw new Error(`no region ${index}`);
  return found;
}

/** A stream name of its own for every test. */
export const newStream = (what: string) => `${what}-${randomUUID().slice(0, 8)}`;

export const token = (given: Partial<NewToken> = {}): Promise<string> =>
  signToken(Buffer.from(world.tokenKey, 'base64'), {
    jti: randomUUID(),
    aud: 'publish',
    stream: '*',
    expiresAt: Math.floor(Date.now() / 1000) + 600,
    ...given,
  });

export const tree = (stream: string, region: { api: string } = regions.us) =>
  readTree(stream, region, world.apiSecret);

/** As {@link tree}, of a stream that must be live. */
export async function live(stream: string, region: { api: string } = regions.us): Promise<Tree> {
  const state = await tree(stream, region);
  if (state === undefined) throw new Error(`${stream} is not live`);
  return state;
}
