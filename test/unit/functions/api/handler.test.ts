// The control API: the list of live streams, a stream's tree put together from all regions, and who may ask.

import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { log } from '#functions/log.ts';
import type { StreamReport } from '#routing/node-messages.ts';
import { originClaim, regionClaim } from '#test/unit/routing/samples.ts';
import { call, type Handler } from '../events.ts';
import { REGION, startRegion, type TestRegion } from '../region.ts';

let region: TestRegion;
let handler: Handler;
const warned = vi.spyOn(log, 'warn');

beforeAll(async () => {
  region = await startRegion();
  ({ handler } = await import('#functions/api/handler.ts'));
});
afterAll(() => {
  vi.restoreAllMocks();
});
beforeEach(() => {
  region.other.says = undefined;
  region.other.asked.length = 0;
  warned.mockReset().mockImplementation(() => undefined);
});

const get = (path: string, secret: string | undefined = region.secret) =>
  call(handler, { method: 'GET', path, headers: { Authorization: `Bearer ${secret}` } });

const report: StreamReport = {
  stream: 'tree',
  nodeId: 'i-origin',
  region: 'us-east-1',
  role: 'origin',
  parent: null,
  hops: 0,
  viewers: 3,
  children: [],
  leg: null,
  tracks: [],
};

it.each(['/api/streams', '/api/streams/concert'])(
  '%s without a known secret is a 401 in Millicast’s form',
  async (path) => {
    for (const answer of [await get(path, 'guessed'), await call(handler, { method: 'GET', path })]) {
      expect(answer).toMatchObject({
        status: 401,
        json: { status: 'fail', data: { message: 'Unauthorized' } },
      });
      expect(answer.headers['www-authenticate']).toContain('Bearer');
    }
    expect(region.other.asked).toEqual([]);
  },
);

it('a stream that nobody publishes anywhere is a 404', async () => {
  expect(await get('/api/streams/nothing')).toMatchObject({ status: 404, json: { status: 'fail' } });
  expect((await get('/api/streams/a%20b')).status).toBe(400);
});

it('a stream’s tree is every region’s part and the map’s claims', async () => {
  await region.streamMap.claimOrigin(originClaim({ stream: 'tree', epoch: 4, startedAt: 0 }), undefined);
  await region.streamMap.claimRegion(regionClaim({ stream: 'tree', epoch: 2 }), undefined);
  region.other.says = { region: 'us-east-1', nodes: [report] };
  const { children, region: _, stream, ...node } = report;
  expect((await get('/api/streams/tree')).json).toEqual({
    status: 'success',
    data: {
      streamName: 'tree',
      origin: { region: 'us-east-1', nodeId: 'i-origin', epoch: 4, startedAt: '1970-01-01T00:00:00.000Z' },
      origins: [
        { region: 'us-east-1', nodeId: 'i-origin', epoch: 4, priority: 0, tokenId: 'token-1', yields: false },
      ],
      regions: [
        { region: REGION, secondaryOrigin: { nodeId: 'i-secondary', epoch: 2 }, nodes: [] },
        { region: 'us-east-1', secondaryOrigin: null, nodes: [node] },
      ],
    },
  });
  expect([stream, children]).toEqual(['tree', []]);
  expect(region.other.asked.map(({ url, headers }) => [url, headers.authorization])).toEqual([
    ['/api/streams/tree?region=self', `Bearer ${region.secret}`],
  ]);
});

it('a region that does not answer is left out, and the log says so', async () => {
  await region.streamMap.claimOrigin(originClaim({ stream: 'lonely' }), undefined);
  const { status, json } = await get('/api/streams/lonely');
  expect(status).toBe(200);
  expect(json).toMatchObject({ data: { regions: [{ region: REGION }] } });
  expect(String(warned.mock.calls[0])).toContain('us-east-1');
});

it('a region asked for its own part asks no other', async () => {
  expect((await get('/api/streams/tree?region=self')).json).toEqual({ region: REGION, nodes: [] });
  expect(region.other.asked).toEqual([]);
});

it('a secret in the URL is passed on to the other regions as a header', async () => {
  region.other.says = { region: 'us-east-1', nodes: [] };
  await call(handler, { method: 'GET', path: `/api/streams/tree?token=${region.secret}` });
  expect(region.other.asked.map(({ url, headers }) => [url, headers.authorization])).toEqual([
    ['/api/streams/tree?region=self', `Bearer ${region.secret}`],
  ]);
});

it('no other region can be asked for alone', async () => {
  expect(await get('/api/streams/tree?region=us-east-1')).toMatchObject({
    status: 400,
    json: { status: 'fail' },
  });
  expect(region.other.asked).toEqual([]);
});

it('lists each live stream once, with its active origin', async () => {
  await region.streamMap.claimOrigin(originClaim({ stream: 'listed' }), undefined);
  await region.streamMap.claimOrigin(
    originClaim({ stream: 'listed', priority: 5, nodeId: 'i-main' }),
    undefined,
  );
  await region.streamMap.claimOrigin(originClaim({ stream: 'ended', releasedAt: 1 }), undefined);
  const { status, json } = await get('/api/streams');
  expect(status).toBe(200);
  expect(json).toMatchObject({ status: 'success' });
  expect(json).toHaveProperty(
    'data.streams',
    expect.arrayContaining([{ streamName: 'listed', origin: expect.objectContaining({ nodeId: 'i-main' }) }]),
  );
  expect(JSON.stringify(json).split('"listed"')).toHaveLength(2);
  expect(JSON.stringify(json)).not.toContain('"ended"');
});

it('a cursor that is none is a 400', async () => {
  expect(await get('/api/streams?next=xyz')).toMatchObject({ status: 400, json: { status: 'fail' } });
});

it('an operator evacuates a region from any other, and lets it come back', async () => {
  const send = (method: string, path: string, secret = region.secret) =>
    call(handler, { method, path, headers: { Authorization: `Bearer ${secret}` } });
  expect(await send('PUT', '/api/evacuations/us-east-1')).toMatchObject({
    status: 200,
    json: { status: 'success', data: { region: 'us-east-1', evacuated: true } },
  });
  expect((await region.control.regions()).evacuated).toEqual(new Set(['us-east-1']));
  expect((await send('DELETE', '/api/evacuations/us-east-1')).status).toBe(200);
  expect((await region.control.regions()).evacuated).toEqual(new Set());
  expect((await send('PUT', '/api/evacuations/mars-1')).status).toBe(404);
  expect((await send('PUT', '/api/evacuations/us-east-1', 'guessed')).status).toBe(401);
});
