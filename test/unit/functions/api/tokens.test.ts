// New tokens by the control API: what they are good for, and which requests are refused.

import { beforeAll, expect, it } from 'vitest';
import type { TokenClaims, verifyToken } from '#routing/tokens.ts';
import { call, type Handler } from '../events.ts';
import { startRegion, type TestRegion } from '../region.ts';

let region: TestRegion;
let handler: Handler;
let check: (token: unknown, use: 'publish' | 'subscribe', stream: string) => Promise<TokenClaims>;

beforeAll(async () => {
  region = await startRegion();
  ({ handler } = await import('#functions/api/handler.ts'));
  const verify: typeof verifyToken = (await import('#routing/tokens.ts')).verifyToken;
  const key = Buffer.from(process.env.MERIDIAN_TOKEN_KEY ?? '', 'base64');
  check = (token, use, stream) => verify(key, String(token), { use, stream });
});

const create = (path: string, body: unknown, secret = region.secret) =>
  call(handler, {
    method: 'POST',
    path: `/api/${path}`,
    headers: { Authorization: `Bearer ${secret}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
const concert = { label: 'test', streams: [{ streamName: 'concert' }] };

/** The token in a successful answer. */
const tokenIn = (json: unknown): unknown =>
  typeof json === 'object' && json !== null && 'data' in json
    ? Object.entries(json.data ?? {}).find(([name]) => name === 'token')?.[1]
    : undefined;

it('a publish token publishes its stream, for a day, by the defaults', async () => {
  const { status, json } = await create('publish_token', concert);
  expect(status).toBe(200);
  expect(json).toMatchObject({
    status: 'success',
    data: {
      label: 'test',
      isActive: true,
      streams: [{ streamName: 'concert' }],
      subscribeRequiresAuth: false,
      originCluster: 'auto',
    },
  });
  const token = tokenIn(json);
  expect(await check(token, 'publish', 'concert')).toMatchObject({
    viewing: 'open',
    priority: 0,
    takeover: 'same-token',
  });
  await expect(check(token, 'publish', 'other')).rejects.toMatchObject({ status: 401 });
  await expect(check(token, 'subscribe', 'concert')).rejects.toMatchObject({ status: 401 });
});

it('a publish token carries what was asked for', async () => {
  const asked = {
    ...concert,
    subscribeRequiresAuth: true,
    originCluster: 'us-east-1',
    priority: 4,
    takeover: 'never',
    expires: 60,
  };
  const { json } = await create('publish_token', asked);
  expect(await check(tokenIn(json), 'publish', 'concert')).toMatchObject({
    viewing: 'token',
    region: 'us-east-1',
    priority: 4,
    takeover: 'never',
  });
});

it('a subscribe token watches its stream, or any', async () => {
  const { json } = await create('subscribe_token', { ...concert, streams: [{ streamName: '*' }] });
  expect(await check(tokenIn(json), 'subscribe', 'anything')).toMatchObject({ stream: '*' });
});

it.each([
  ['no label', { streams: concert.streams }],
  ['no stream', { label: 'test', streams: [] }],
  ['two streams', { label: 'test', streams: [{ streamName: 'a' }, { streamName: 'b' }] }],
  ['a name that is none', { label: 'test', streams: [{ streamName: 'a b' }] }],
  ['a regular expression', { label: 'test', streams: [{ streamName: 'a', isRegex: true }] }],
  ['an expiry of no time', { ...concert, expires: 0 }],
  ['an expiry of centuries', { ...concert, expires: 1e12 }],
  ['a region that there is not', { ...concert, originCluster: 'sa-east-1' }],
  ['a member that is unknown', { ...concert, allowedOrigins: [] }],
  ['no object', 'concert'],
])('%s is a 400 in Millicast’s form', async (_, body) => {
  expect(await create('publish_token', body)).toMatchObject({
    status: 400,
    json: { status: 'fail', data: { message: expect.any(String) } },
  });
});

it.each(['publish_token', 'subscribe_token'])('%s needs an API secret', async (path) => {
  expect((await create(path, concert, 'guessed')).status).toBe(401);
  expect((await create(path, 'even for nonsense', 'guessed')).status).toBe(401);
});
