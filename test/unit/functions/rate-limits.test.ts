// Floods of WHIP and WHEP requests, as the handlers see them: refused before anything is asked, and nobody else's.

import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { FunctionContext } from '#functions/context.ts';
import { log } from '#functions/log.ts';
import { rateLimits } from '#routing/request-limits.ts';
import { type Answered, call, type Handler, type Sent } from './events.ts';
import { startRegion, type TestRegion } from './region.ts';

let region: TestRegion;
let whip: Handler;
let whep: Handler;
let here: FunctionContext;
let stream: string;

beforeAll(async () => {
  region = await startRegion();
  ({ handler: whip } = await import('#functions/whip/handler.ts'));
  ({ handler: whep } = await import('#functions/whep/handler.ts'));
  ({ here } = await import('#functions/here.ts'));
});
beforeEach(() => {
  stream = region.newStream();
  // The buckets' clock stands still; what the database needs goes on.
  vi.useFakeTimers({ toFake: ['performance'] });
  vi.spyOn(log, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const { publishPerAddress, publishPerToken, playPerAddress, changePerAddress, changePerSession } =
  rateLimits.parse({});
const burst = (limit: typeof playPerAddress) => (limit === 'off' ? Number.POSITIVE_INFINITY : limit.burst);

const sdp = { 'Content-Type': 'application/sdp' };
const play = (from: string, changes: Partial<Sent> = {}) =>
  call(whep, { method: 'POST', path: `/whep/${stream}`, headers: sdp, body: 'v=0\r\n', from, ...changes });
const publish = (from: string, token: string, path = `/whip/${stream}`) =>
  call(whip, {
    method: 'POST',
    path,
    headers: { ...sdp, Authorization: `Bearer ${token}`, Origin: 'https://page.example' },
    body: 'v=0\r\n',
    from,
  });

/** Asks until it is refused. @returns how often it was not, and the refusal. */
async function flood(ask: () => Promise<Answered>): Promise<{ served: number; refusal: Answered }> {
  for (let served = 0; served < 2_000; served += 1) {
    const answer = await ask();
    if (answer.status === 429) return { served, refusal: answer };
  }
  throw new Error('never refused');
}

const refused = (detail: string) => ({
  status: 429,
  headers: {
    'content-type': 'application/problem+json',
    'retry-after': expect.stringMatching(/^[1-9]\d*$/),
    'access-control-allow-origin': '*',
    'access-control-expose-headers': expect.stringContaining('Retry-After'),
  },
  json: {
    type: 'urn:meridian:problem:too-many-requests',
    status: 429,
    detail: expect.stringContaining(detail),
  },
});

it('players of one address are refused beyond its limit, those of another are served', async () => {
  const claims = vi.spyOn(here.routes, 'claims');
  const { served, refusal } = await flood(() => play('192.0.2.10'));
  expect(served).toBe(burst(playPerAddress));
  expect(refusal).toMatchObject(refused('WHEP POSTs from 192.0.2.10'));
  expect(claims, 'the refused one asked for nothing').toHaveBeenCalledTimes(served);
  expect((await play('192.0.2.11')).status, 'not live').toBe(409);
  expect((await play('2001:db8::1')).status).toBe(409);
});

it('after the seconds that it was told, the address is served again', async () => {
  const { refusal } = await flood(() => play('192.0.2.12'));
  vi.advanceTimersByTime(Number(refusal.headers['retry-after']) * 1_000);
  expect((await play('192.0.2.12')).status).toBe(409);
});

it('the addresses of an IPv6 /64 share a limit', async () => {
  let host = 0;
  const { served } = await flood(() => {
    host += 1;
    return play(`2001:db8:64::${host.toString(16)}`);
  });
  expect(served).toBe(burst(playPerAddress));
});

it('bad tokens count: who guesses is refused like everyone else, before the token is looked at', async () => {
  const read = vi.spyOn(here.streamMap, 'read');
  const { served, refusal } = await flood(() => publish('192.0.2.13', 'guess'));
  expect(served).toBe(burst(publishPerAddress));
  expect(refusal).toMatchObject(refused('WHIP POSTs from 192.0.2.13'));
  expect((await publish('192.0.2.13', await region.token({ stream }))).status).toBe(429);
  expect(read).not.toHaveBeenCalled();
});

it('an encoder that tries again at once is refused by its token, wherever it is, before the map is read', async () => {
  const token = await region.token({ stream });
  const read = vi.spyOn(here.streamMap, 'read');
  let host = 0;
  const ask = () => {
    host += 1;
    return publish(`198.51.100.${host}`, token);
  };
  const { served, refusal } = await flood(ask);
  expect(served).toBe(burst(publishPerToken));
  expect(refusal).toMatchObject(refused('WHIP POSTs of this stream with this token'));
  expect(read).toHaveBeenCalledTimes(served);
  vi.advanceTimersByTime(Number(refusal.headers['retry-after']) * 1_000);
  expect((await ask()).status, 'no node').toBe(503);
});

it('a token for every stream may come back for each of them at once', async () => {
  const token = await region.token({ stream: '*', jti: 'token-of-all' });
  for (let at = 0; at < 2 * burst(publishPerToken); at += 1) {
    expect((await publish('192.0.2.14', token, `/whip/${region.newStream()}`)).status).toBe(503);
  }
});

it('a forged token spends nothing of the real one’s', async () => {
  const token = await region.token({ stream, jti: 'coveted' });
  for (let count = 0; count < 20; count += 1)
    await publish(`198.51.100.${count}`, `${token.slice(0, -8)}AAAAAAAA`);
  expect((await publish('192.0.2.15', token)).status).toBe(503);
});

it('made-up sessions are looked at so often only, and DELETE always', async () => {
  const path = `/whep/${stream}/made.up`;
  const headers = { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*' };
  const patch = () => call(whep, { method: 'PATCH', path, headers, body: 'a=x', from: '192.0.2.16' });
  const { served, refusal } = await flood(patch);
  expect(served).toBe(burst(changePerAddress));
  expect(refusal).toMatchObject({ json: { detail: expect.stringContaining('sessions from 192.0.2.16') } });
  expect((await call(whep, { method: 'DELETE', path, from: '192.0.2.16' })).status).toBe(404);
});

it('a session has its own limit, which another one’s requests do not touch', async () => {
  const seal = (sessionId: string) =>
    here.sessionUrls.seal({
      use: 'whep',
      stream,
      sessionId,
      protected: false,
      nodeId: 'i-1',
      incarnation: 'i-1-start-1',
      control: '127.0.0.1:9',
      fingerprint: 'a'.repeat(64),
    });
  const [mine, other] = [await seal(crypto.randomUUID()), await seal(crypto.randomUUID())];
  let host = 0;
  // Without If-Match: no node is asked.
  const patch = (session: string) => {
    host += 1;
    return call(whep, {
      method: 'PATCH',
      path: `/whep/${stream}/${session}`,
      headers: { 'Content-Type': 'application/trickle-ice-sdpfrag' },
      body: 'a=x',
      from: `198.51.100.${host}`,
    });
  };
  const { served, refusal } = await flood(() => patch(mine));
  expect(served).toBe(burst(changePerSession));
  expect(refusal).toMatchObject({ json: { detail: expect.stringContaining('requests to this session') } });
  expect((await patch(other)).status).toBe(428);
});

it('preflights and looks are not counted', async () => {
  const { refusal } = await flood(() => play('192.0.2.17'));
  expect(refusal.status).toBe(429);
  for (const method of ['OPTIONS', 'HEAD', 'GET']) {
    expect((await call(whep, { method, path: `/whep/${stream}`, from: '192.0.2.17' })).status).toBeLessThan(
      300,
    );
  }
});
