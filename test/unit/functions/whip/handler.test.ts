// WHIP as a publisher sees it, up to the point where a node is needed.

import { randomUUID } from 'node:crypto';
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
  ({ handler } = await import('#functions/whip/handler.ts'));
});
beforeEach(() => {
  stream = region.newStream();
});

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const token = (changes: Parameters<TestRegion['token']>[0] = {}) => region.token({ stream, ...changes });

const post = (headers: Record<string, string>, changes: Partial<Sent> = {}) =>
  call(handler, {
    method: 'POST',
    path: `/whip/${stream}`,
    headers: { 'Content-Type': 'application/sdp', ...headers },
    body: 'v=0\r\n',
    ...changes,
  });

/** A publisher of another region, of whose node this region knows nothing. */
const publishElsewhere = (changes: Partial<OriginClaim> = {}) =>
  region.streamMap.claimOrigin(originClaim({ stream, ...changes }), undefined);

it.each([
  ['no token', async () => ({}), 'Bearer realm="meridian"'],
  ['a token that is none', async () => bearer('x'), 'invalid_token'],
  ['an expired token', async () => bearer(await token({ expiresAt: 1_000_000_000 })), 'invalid_token'],
  ['a subscribe token', async () => bearer(await token({ aud: 'subscribe' })), 'invalid_token'],
  ['a token for another stream', async () => bearer(await token({ stream: 'other' })), 'insufficient_scope'],
])('%s is a 401 that says so', async (_, headers, said) => {
  const answer = await post(await headers());
  expect(answer).toMatchObject({
    status: 401,
    json: { type: 'urn:meridian:problem:unauthorized', status: 401 },
  });
  expect(answer.headers['www-authenticate']).toContain(said);
  expect(answer.headers['content-type']).toBe('application/problem+json');
});

it('a stranger learns nothing about the body before the token', async () => {
  expect((await post({ 'Content-Type': 'text/plain' })).status).toBe(401);
});

it.each([
  ['415', { headers: { 'Content-Type': 'text/plain' } }],
  ['413', { body: `v=0\r\n${'a=x\r\n'.repeat(20_000)}` }],
  ['400', { body: '' }],
])('a wrong body is a %s', async (status, { headers = {}, ...changes }: Partial<Sent>) => {
  expect((await post({ ...bearer(await token()), ...headers }, changes)).status).toBe(Number(status));
});

it('a name that is none is a 400', async () => {
  expect((await post({}, { path: '/whip/-bad' })).status).toBe(400);
  expect((await post({}, { path: '/whip/%zz' })).status).toBe(400);
});

it('without a node the region is full, for a moment', async () => {
  const answer = await post(bearer(await token()));
  expect(answer).toMatchObject({ status: 503, json: { type: 'urn:meridian:problem:region-full' } });
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
});

it('takes a token in the URL, an offer in base64 and a token for all streams', async () => {
  const body = Buffer.from('v=0\r\n').toString('base64');
  const all = await token({ stream: '*' });
  expect((await post({}, { path: `/whip/${stream}?token=${all}`, body, base64: true })).status).toBe(503);
});

it('another token does not take a live stream over', async () => {
  await publishElsewhere({ tokenId: 'another' });
  const answer = await post(bearer(await token()));
  expect(answer).toMatchObject({ status: 409, json: { type: 'urn:meridian:problem:stream-has-publisher' } });
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
});

it.each([
  ['its own token takes it over', { tokenId: 'token-1' }],
  ['another priority stands by', { tokenId: 'another', priority: 3 }],
  ['a released claim is in nobody’s way', { tokenId: 'another', releasedAt: 1 }],
  ['a claim of a node that this region has not is void', { tokenId: 'another', region: 'eu-west-1' }],
])('%s', async (_, claim) => {
  await publishElsewhere(claim);
  expect((await post(bearer(await token()))).status, 'no node, but no conflict').toBe(503);
});

it('a token that always takes over is let through to another token’s stream', async () => {
  await publishElsewhere({ tokenId: 'another' });
  expect((await post(bearer(await token({ takeover: 'always' })))).status).toBe(503);
});

it('a token that never takes over is refused while its own publisher is live', async () => {
  await publishElsewhere({ tokenId: 'token-1' });
  const answer = await post(bearer(await token({ takeover: 'never' })));
  expect(answer).toMatchObject({
    status: 409,
    json: { detail: `${stream} is being published with this token, which never takes over` },
  });
});

it('a void claim of this region does not hide another region’s publisher', async () => {
  await publishElsewhere({ region: 'eu-west-1', nodeId: 'i-dead', tokenId: 'another' });
  await publishElsewhere({ region: 'us-east-1', tokenId: 'another' });
  expect((await post(bearer(await token()))).status).toBe(409);
});

it('another token does not take a standby’s place', async () => {
  await publishElsewhere({ priority: 3, tokenId: 'main' });
  await publishElsewhere({ priority: 0, tokenId: 'standby' });
  expect((await post(bearer(await token()))).status).toBe(409);
});

it('sends a publisher to the region that its token pins, with a ticket that works there', async () => {
  const pinned = await token({ region: 'us-east-1', priority: 2, viewing: 'token' });
  const answer = await post(bearer(pinned));
  expect(answer).toMatchObject({ status: 307, headers: { 'cache-control': 'no-store' } });
  const location = new URL(answer.headers.location ?? '');
  expect(`${location.origin}${location.pathname}`).toBe(`${region.other.api}/whip/${stream}`);

  const ticket = location.searchParams.get('token') ?? '';
  const { exp, ...claims } = payloadOf(ticket);
  expect(claims).toMatchObject({
    aud: 'publish',
    stream,
    jti: 'token-1',
    region: 'us-east-1',
    priority: 2,
    viewing: 'token',
  });
  expect(exp).toBeLessThanOrEqual(Date.now() / 1_000 + 16);
  expect(claims.ticket, 'each has an id of its own').not.toBe(
    payloadOf(new URL((await post(bearer(pinned))).headers.location ?? '').searchParams.get('token') ?? '')
      .ticket,
  );
  // The region that it pins is the other one there: a ticket is not sent on, or it could be renewed for ever.
  expect(await post({}, { path: `/whip/${stream}?token=${ticket}` })).toMatchObject({
    status: 401,
    json: { detail: expect.stringContaining('is for us-east-1, not for eu-west-1') },
  });
  expect((await post({}, { path: `/whip/other?token=${ticket}` })).status).toBe(401);
});

/** What a redirect elsewhere would have sent here. */
const ticketHere = async () =>
  `/whip/${stream}?token=${await token({ region: 'eu-west-1', ticket: randomUUID() })}`;

it('a ticket is good for one POST', async () => {
  const path = await ticketHere();
  expect((await post({}, { path })).status, 'no node, but the ticket was taken').toBe(503);
  const again = await post({}, { path });
  expect(again).toMatchObject({
    status: 401,
    json: {
      type: 'urn:meridian:problem:unauthorized',
      detail: expect.stringContaining('used before; POST to'),
    },
  });
  expect(again.headers['www-authenticate']).toContain('error="invalid_token"');
  expect((await post({}, { path: await ticketHere() })).status, 'another one').toBe(503);
});

it('of POSTs that come at once with one ticket, one is let in', async () => {
  const path = await ticketHere();
  const answers = await Promise.all([1, 2, 3, 4].map(() => post({}, { path })));
  expect(answers.map(({ status }) => status).toSorted()).toEqual([401, 401, 401, 503]);
});

it('a request that is refused for itself does not spend its ticket', async () => {
  const path = await ticketHere();
  expect((await post({ 'Content-Type': 'text/plain' }, { path })).status).toBe(415);
  expect((await post({}, { path, body: '' })).status).toBe(400);
  await publishElsewhere({ tokenId: 'another' });
  expect((await post({}, { path })).status).toBe(409);
  const [claim] = (await region.streamMap.read(stream)).origins;
  if (claim) await region.streamMap.release(claim);
  expect((await post({}, { path })).status).toBe(503);
  expect((await post({}, { path })).status).toBe(401);
});

it('the session’s URL takes a ticket that is spent and expired', async () => {
  const spent = await token({ region: 'eu-west-1', ticket: randomUUID(), expiresAt: 1_000_000_000 });
  const path = `/whip/${stream}/made.up?token=${spent}`;
  expect((await call(handler, { method: 'DELETE', path })).status, 'not 401').toBe(404);
});

/** What a token says, unchecked. */
function payloadOf(jwt: string): { exp: number; ticket?: string } {
  const payload: { exp: number; ticket?: string } = JSON.parse(
    Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString(),
  );
  return payload;
}

it('a token that pins this region stays', async () => {
  expect((await post(bearer(await token({ region: 'eu-west-1' })))).status).toBe(503);
});

it('a token that pins a region that there is not is a 422', async () => {
  expect((await post(bearer(await token({ region: 'sa-east-1' })))).status).toBe(422);
});

it.each(['/whip/concert', '/whip/concert/session'])(
  '%s: GET has no content, OPTIONS says what a POST takes',
  async (path) => {
    expect(await call(handler, { method: 'GET', path })).toMatchObject({ status: 204, body: '' });
    const preflight = await call(handler, {
      method: 'OPTIONS',
      path,
      headers: { Origin: 'https://page.example' },
    });
    expect(preflight).toMatchObject({
      status: 200,
      headers: { 'accept-post': 'application/sdp', 'access-control-allow-origin': '*' },
    });
  },
);

it.each([
  ['PUT', '/whip/concert', 'POST'],
  ['DELETE', '/whip/concert', 'POST'],
  ['POST', '/whip/concert/session', 'DELETE'],
])('%s %s is a 405', async (method, path, allowed) => {
  const { status, headers } = await call(handler, { method, path });
  expect(status).toBe(405);
  expect(headers.allow).toContain(allowed);
});

it.each(['PATCH', 'DELETE'])('%s on a session that never was is a 404', async (method) => {
  const headers = {
    'Content-Type': 'application/trickle-ice-sdpfrag',
    'If-Match': '*',
    ...bearer(await token()),
  };
  const answer = await call(handler, { method, path: `/whip/${stream}/made.up`, headers, body: 'a=x' });
  expect(answer).toMatchObject({ status: 404, json: { type: 'urn:meridian:problem:unknown-session' } });
});
