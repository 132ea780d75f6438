// WHEP as a viewer sees it, up to the point where a node is needed.

import { beforeAll, beforeEach, expect, it } from 'vitest';
import type { OriginClaim } from '#routing/claims.ts';
import { originClaim } from '#test/unit/routing/samples.ts';
import { call, type Handler, type Sent } from '../events.ts';
import { startRegion, type TestRegion } from '../region.ts';

let region: TestRegion;
let handler: Handler;
let stream: string;

beforeAll(async () => {
  region = await startRegion();
  ({ handler } = await import('#functions/whep/handler.ts'));
});
beforeEach(() => {
  stream = region.newStream();
});

const post = (headers: Record<string, string> = {}, changes: Partial<Sent> = {}) =>
  call(handler, {
    method: 'POST',
    path: `/whep/${stream}`,
    headers: { 'Content-Type': 'application/sdp', ...headers },
    body: 'v=0\r\n',
    ...changes,
  });

const goLive = (changes: Partial<OriginClaim> = {}) =>
  region.streamMap.claimOrigin(originClaim({ stream, ...changes }), undefined);
const subscribe = async (changes: Parameters<TestRegion['token']>[0] = {}) => ({
  Authorization: `Bearer ${await region.token({ aud: 'subscribe', stream, ...changes })}`,
});

it('a stream that nobody publishes is a 409 that says when to try again', async () => {
  const answer = await post();
  expect(answer).toMatchObject({
    status: 409,
    headers: { 'content-type': 'application/problem+json' },
    json: { type: 'urn:meridian:problem:stream-not-live' },
  });
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
});

it('a stream whose publisher has left is not live', async () => {
  await goLive({ releasedAt: 1 });
  expect((await post()).status).toBe(409);
});

it('an open stream needs no token, and its viewers none that is good', async () => {
  await goLive();
  for (const headers of [{}, { Authorization: 'Bearer x' }]) {
    const answer = await post(headers);
    expect(answer).toMatchObject({ status: 503, json: { type: 'urn:meridian:problem:region-full' } });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  }
});

it.each([
  ['no token', async () => ({}), 'realm'],
  ['a publish token', () => subscribe({ aud: 'publish' }), 'invalid_token'],
  ['an expired token', () => subscribe({ expiresAt: 1_000_000_000 }), 'invalid_token'],
  ['a token for another stream', () => subscribe({ stream: 'other' }), 'insufficient_scope'],
])('a protected stream: %s is a 401', async (_, headers, said) => {
  await goLive({ viewing: 'token' });
  const answer = await post(await headers());
  expect(answer.status).toBe(401);
  expect(answer.headers['www-authenticate']).toContain(said);
});

it('a protected stream is shown to who has a token for it, in the header or the URL', async () => {
  await goLive({ viewing: 'token' });
  expect((await post(await subscribe())).status).toBe(503);
  expect((await post(await subscribe({ stream: '*' }))).status).toBe(503);
  const token = await region.token({ aud: 'subscribe', stream });
  expect((await post({}, { path: `/whep/${stream}?token=${token}` })).status).toBe(503);
});

it('the active origin says who may watch, not a standby', async () => {
  await goLive({ priority: 2, viewing: 'open' });
  await goLive({ priority: 1, viewing: 'token' });
  expect((await post()).status).toBe(503);
});

it.each([
  ['415', { headers: { 'Content-Type': 'application/json' } }],
  ['413', { body: 'x'.repeat(70_000) }],
  ['400', { body: ' ' }],
])('a wrong body is a %s', async (status, { headers = {}, ...changes }: Partial<Sent>) => {
  await goLive();
  expect((await post(headers, changes)).status).toBe(Number(status));
});

it.each([
  ['360', 503],
  ['4320', 503],
  ['0', 400],
  ['4321', 400],
  ['', 400],
  ['36.5', 400],
  ['high', 400],
])('?maxHeight=%s is a %i', async (maxHeight, status) => {
  await goLive();
  expect((await post({}, { path: `/whep/${stream}?maxHeight=${maxHeight}` })).status).toBe(status);
});

it('a name that is none is a 400', async () => {
  expect((await post({}, { path: '/whep/a%20b' })).status).toBe(400);
});

it('HEAD tells a player that this is a WHEP endpoint', async () => {
  expect(await call(handler, { method: 'HEAD', path: '/whep/concert' })).toMatchObject({
    status: 200,
    headers: { 'content-type': 'application/sdp' },
    body: '',
  });
});

it.each(['/whep/concert', '/whep/concert/session'])(
  '%s: GET has no content, OPTIONS says what a POST takes',
  async (path) => {
    expect(await call(handler, { method: 'GET', path })).toMatchObject({ status: 204, body: '' });
    expect(await call(handler, { method: 'OPTIONS', path })).toMatchObject({
      status: 200,
      headers: { 'accept-post': 'application/sdp', 'access-control-allow-private-network': 'true' },
    });
  },
);

it('a page may ask for a layer, and only by POST', async () => {
  const path = '/whep/concert/session/layer';
  const preflight = await call(handler, { method: 'OPTIONS', path });
  expect(preflight).toMatchObject({ status: 200, headers: { 'access-control-allow-origin': '*' } });
  expect(preflight.headers['access-control-allow-methods']).toContain('POST');
  expect(await call(handler, { method: 'GET', path })).toMatchObject({ status: 405 });
  expect(await call(handler, { method: 'POST', path, body: '{}' })).toMatchObject({ status: 404 });
});

it('another method is a 405 that says which there are', async () => {
  const { status, headers } = await call(handler, { method: 'PUT', path: '/whep/concert' });
  expect(status).toBe(405);
  expect(headers.allow?.split(', ')).toEqual(expect.arrayContaining(['POST', 'GET', 'HEAD', 'OPTIONS']));
});

it.each(['PATCH', 'DELETE'])('%s on a session that never was is a 404', async (method) => {
  const headers = { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*' };
  const answer = await call(handler, { method, path: `/whep/${stream}/made.up`, headers, body: 'a=x' });
  expect(answer).toMatchObject({ status: 404, json: { type: 'urn:meridian:problem:unknown-session' } });
});
