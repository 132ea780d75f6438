// The stream map on a real DynamoDB-compatible server: who wins a claim, and what a release leaves.

import { GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Database, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import type { OriginClaim } from '#routing/claims.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { Problem } from '#routing/problem.ts';
import { originClaim, regionClaim } from './samples.ts';

let database: Database;
let map: DynamoStreamMap;
/** A stream of its own for every test. */
let stream: string;
let streams = 0;

beforeAll(async () => {
  database = await startDatabase({
    regions: [],
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  map = new DynamoStreamMap(database.documents, STREAMS_TABLE);
});
afterAll(() => database.close());
beforeEach(() => {
  streams += 1;
  stream = `stream-${streams}`;
});

const read = () => map.read(stream, { consistent: true });
const origin = (changes: Partial<OriginClaim> = {}) => originClaim({ stream, ...changes });

/** The item as it is in the table, with what the claims do not show. */
async function item(sk: string): Promise<Record<string, unknown> | undefined> {
  const Key = { pk: `STREAM#${stream}`, sk };
  return (await database.documents.send(new GetCommand({ TableName: STREAMS_TABLE, Key }))).Item;
}

it('knows nothing of a stream that was never claimed', async () => {
  expect(await read()).toEqual({ stream, origins: [], regions: [] });
});

it('gives back every claim of a stream as it was written, and no other stream’s', async () => {
  const [main, backup, edge] = [origin({ priority: 1 }), origin(), regionClaim({ stream })];
  expect(await map.claimOrigin(main, undefined)).toBe(true);
  expect(await map.claimOrigin(backup, undefined)).toBe(true);
  expect(await map.claimRegion(edge, undefined)).toBe(true);
  await map.claimOrigin(originClaim({ stream: `${stream}-b` }), undefined);
  const { origins, regions } = await read();
  expect(origins).toHaveLength(2);
  expect(origins).toEqual(expect.arrayContaining([main, backup]));
  expect(regions).toEqual([edge]);
});

it('a claim of a newer release does not hide the others', async () => {
  await map.claimOrigin(origin(), undefined);
  const newer = {
    ...origin({ priority: 1 }),
    viewing: 'paid',
    pk: `STREAM#${stream}`,
    sk: 'ORIGIN#us-east-1#1',
  };
  await database.documents.send(new PutCommand({ TableName: STREAMS_TABLE, Item: newer }));
  expect((await read()).origins).toEqual([origin()]);
  const { origins } = await map.held({ limit: 1_000 });
  expect(origins.filter((claim) => claim.stream === stream)).toEqual([origin()]);
});

it('of racing first claims exactly one wins, and it is the one that stands', async () => {
  const rivals = Array.from({ length: 6 }, (_, n) => regionClaim({ stream, nodeId: `i-${n}` }));
  const won = await Promise.all(rivals.map((claim) => map.claimRegion(claim, undefined)));
  const winners = rivals.filter((_, n) => won[n]);
  expect(winners).toHaveLength(1);
  expect((await read()).regions).toEqual(winners);
});

it('of racing claims over the same seen one exactly one wins', async () => {
  const seen = origin();
  await map.claimOrigin(seen, undefined);
  const rivals = Array.from({ length: 6 }, (_, n) => origin({ nodeId: `i-${n}`, epoch: 2 }));
  const won = await Promise.all(rivals.map((claim) => map.claimOrigin(claim, seen)));
  const winners = rivals.filter((_, n) => won[n]);
  expect(winners).toHaveLength(1);
  expect((await read()).origins).toEqual(winners);
});

it('refuses a claim that was made on an older epoch than the map’s', async () => {
  const first = origin();
  const second = origin({ nodeId: 'i-second', epoch: 2 });
  await map.claimOrigin(first, undefined);
  expect(await map.claimOrigin(second, first)).toBe(true);
  expect(await map.claimOrigin(origin({ nodeId: 'i-late', epoch: 2 }), first)).toBe(false);
  expect(await map.claimOrigin(origin({ nodeId: 'i-blind', epoch: 9 }), undefined)).toBe(false);
  expect((await read()).origins).toEqual([second]);
});

it('refuses a claim over one that is not there', async () => {
  expect(await map.claimOrigin(origin({ epoch: 2 }), origin())).toBe(false);
  expect((await read()).origins).toEqual([]);
});

it('does not even try a claim whose epoch is not above the one that it replaces', async () => {
  const seen = origin({ epoch: 3 });
  const attempt = async (epoch: number) => map.claimOrigin(origin({ epoch }), seen);
  await expect(attempt(3)).rejects.toThrow('epoch 3');
  await expect(attempt(2)).rejects.toThrow('epoch 3');
});

it('claims of another region or priority are other items', async () => {
  await map.claimOrigin(origin(), undefined);
  expect(await map.claimOrigin(origin({ region: 'eu-west-1' }), undefined)).toBe(true);
  expect(await map.claimOrigin(origin({ priority: 5 }), undefined)).toBe(true);
  expect((await read()).origins).toHaveLength(3);
});

it('a claim has no TTL until it is released, and keeps its epoch then', async () => {
  const claim = origin({ epoch: 4 });
  await map.claimOrigin(claim, undefined);
  expect(await item('ORIGIN#us-east-1#0')).not.toHaveProperty('expiresAt');

  const before = Date.now();
  expect(await map.release(claim)).toBe(true);
  const { expiresAt, releasedAt } = { expiresAt: 0, releasedAt: 0, ...(await item('ORIGIN#us-east-1#0')) };
  const day = 86_400;
  expect(expiresAt).toBeGreaterThanOrEqual(Math.floor(before / 1000) + day);
  expect(expiresAt).toBeLessThanOrEqual(Date.now() / 1000 + day);
  expect((await read()).origins).toEqual([{ ...claim, releasedAt }]);
});

it('a claim over a released one takes the release and its TTL away', async () => {
  const first = regionClaim({ stream });
  await map.claimRegion(first, undefined);
  await map.release(first);
  const [released] = (await read()).regions;
  const next = regionClaim({ stream, nodeId: 'i-next', epoch: 2 });
  expect(await map.claimRegion(next, undefined), 'as if there were nothing').toBe(false);
  expect(await map.claimRegion(next, released)).toBe(true);
  expect((await read()).regions).toEqual([next]);
  expect(await item('REGION#eu-west-1')).not.toHaveProperty('expiresAt');
});

it('releases nothing that another node, start or epoch holds by now', async () => {
  const held = origin({ epoch: 2 });
  await map.claimOrigin(held, undefined);
  expect(await map.release(origin({ epoch: 1 }))).toBe(false);
  expect(await map.release({ ...held, nodeId: 'i-other' })).toBe(false);
  expect(await map.release({ ...held, incarnation: 'origin-start-0' })).toBe(false);
  expect((await read()).origins).toEqual([held]);
});

it('releasing what was never claimed makes no item', async () => {
  expect(await map.release(regionClaim({ stream }))).toBe(false);
  expect(await item('REGION#eu-west-1')).toBeUndefined();
});

it('what a claim says of yielding is written with its revision, and nothing else of it', async () => {
  const claim = origin({ epoch: 3 });
  await map.claimOrigin(claim, undefined);
  expect(await map.setYields({ ...claim, yields: true, revision: 1 })).toBe(true);
  expect((await read()).origins).toEqual([{ ...claim, yields: true, revision: 1 }]);
  expect(await map.setYields({ ...claim, tokenId: 'another', yields: false, revision: 2 })).toBe(true);
  expect((await read()).origins).toEqual([{ ...claim, yields: false, revision: 2 }]);
});

it.each<[string, Partial<OriginClaim>]>([
  ['epoch', { epoch: 1 }],
  ['node', { nodeId: 'i-other' }],
  ['start', { incarnation: 'origin-start-0' }],
  ['priority', { priority: 7 }],
  ['region', { region: 'eu-west-1' }],
])('who holds no claim of such a %s does not change what it says of yielding', async (_, changes) => {
  const claim = origin({ epoch: 2 });
  await map.claimOrigin(claim, undefined);
  expect(await map.setYields({ ...claim, ...changes, yields: true })).toBe(false);
  expect((await read()).origins).toEqual([claim]);
});

it('a claim that was released is not held: its holder cannot yield any more, nor release it again', async () => {
  const claim = origin();
  await map.claimOrigin(claim, undefined);
  await map.release(claim);
  const before = await read();
  expect(await map.setYields({ ...claim, yields: true })).toBe(false);
  expect(await map.release(claim)).toBe(false);
  expect(await read()).toEqual(before);
});

it('a claim’s next epoch says anew whether it yields', async () => {
  const first = origin();
  await map.claimOrigin(first, undefined);
  await map.setYields({ ...first, yields: true });
  await map.claimOrigin(origin({ epoch: 2 }), first);
  expect((await read()).origins).toEqual([origin({ epoch: 2 })]);
});

it('a region’s claim is released by its own holder only', async () => {
  const claim = regionClaim({ stream, epoch: 2 });
  await map.claimRegion(claim, undefined);
  expect(await map.release({ ...claim, epoch: 1 })).toBe(false);
  expect(await map.release({ ...claim, nodeId: 'i-other' })).toBe(false);
  expect((await read()).regions).toEqual([claim]);
  expect(await map.release(claim)).toBe(true);
  expect((await read()).regions).toMatchObject([{ ...claim, releasedAt: expect.any(Number) }]);
});

/** Every page of the list: the streams named on them, and how many pages there were. */
async function allLive(limit: number): Promise<{ names: string[]; pages: number }> {
  const names: string[] = [];
  let after: string | undefined;
  let pages = 0;
  do {
    const page = await map.held({ limit, after });
    names.push(...page.origins.map((claim) => claim.stream));
    after = page.next;
    pages += 1;
  } while (after !== undefined);
  return { names, pages };
}

it('lists live origins, page by page, each once; neither released ones nor secondary origins', async () => {
  const live = Array.from({ length: 7 }, (_, n) => `${stream}-${n}`);
  for (const name of live) {
    await map.claimOrigin(originClaim({ stream: name }), undefined);
    await map.claimRegion(regionClaim({ stream: name }), undefined);
  }
  await map.claimOrigin(origin(), undefined);
  await map.release(origin());

  const all = await allLive(1_000);
  for (const limit of [1, 2, 5]) {
    const { names, pages } = await allLive(limit);
    expect(names.toSorted()).toEqual(all.names.toSorted());
    expect(pages).toBeGreaterThanOrEqual(all.names.length / limit);
  }
  expect(all.names.filter((name) => name.startsWith(`${stream}-`)).toSorted()).toEqual(live);
  expect(all.names).not.toContain(stream);
});

it('a stream’s origins stand on one page, wherever the scan stopped', async () => {
  for (const priority of [0, 1, 2]) await map.claimOrigin(origin({ priority }), undefined);
  let after: string | undefined;
  const own: number[] = [];
  do {
    const page = await map.held({ limit: 1, after });
    own.push(page.origins.filter((claim) => claim.stream === stream).length);
    after = page.next;
  } while (after !== undefined);
  expect(own.filter((count) => count > 0)).toEqual([3]);
});

it('all claims of a stream that are held stand on one page, its regions’ among them, each once', async () => {
  for (const priority of [0, 1]) await map.claimOrigin(origin({ priority }), undefined);
  const regions = ['ap-southeast-1', 'eu-west-1', 'us-west-2', 'us-west-3'];
  for (const region of regions) await map.claimRegion(regionClaim({ stream, region }), undefined);
  await map.release(regionClaim({ stream, region: 'us-west-3' }));
  await map.release(origin({ priority: 1 }));
  for (const limit of [1, 2, 3, 4, 5, 1_000]) {
    const pages: string[][] = [];
    let after: string | undefined;
    do {
      const page = await map.held({ limit, after });
      const own = [...page.origins, ...page.regions].filter((claim) => claim.stream === stream);
      if (own.length > 0) pages.push(own.map(({ region }) => region));
      after = page.next;
    } while (after !== undefined);
    expect(pages, `pages of ${limit}`).toEqual([['us-east-1', 'ap-southeast-1', 'eu-west-1', 'us-west-2']]);
  }
});

const badCursor = expect.objectContaining({ status: 400, code: 'invalid-request' });
const cursorOf = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

it.each([
  '',
  'x',
  '!!!',
  cursorOf(null),
  cursorOf({ pk: 'a', sk: 'b' }),
  cursorOf(['a']),
  cursorOf(['a', 1]),
])('the cursor %j is a 400', async (after) => {
  await expect(map.held({ limit: 1, after })).rejects.toEqual(badCursor);
});

it('no text as a cursor is anything but a page or a 400', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), async (after) => {
      try {
        await map.held({ limit: 1, after });
      } catch (error) {
        expect(error).toBeInstanceOf(Problem);
      }
    }),
  );
});

it.each([[['', '']], [['x'.repeat(3_000), 'y']]])('a cursor that holds no key is a 400', async (key) => {
  await expect(map.held({ limit: 1, after: cursorOf(key) })).rejects.toEqual(badCursor);
});
