// Bad input is refused with problem+json, in the right terms, and leaves nothing behind.

import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { problemBody } from '#routing/problem.ts';
import { offerToSend, Publisher, Viewer } from '#test/media/libwebrtc.ts';
import { claimCount, statuses } from './nodes.ts';
import { eventually, newStream, regions, token, tree, whep, whip, world } from './support.ts';

const bearer = { authorization: `Bearer ${world.publishToken}` };
const sdp = { 'content-type': 'application/sdp' };
const offer = await offerToSend();

const send = (url: string, init: RequestInit) => fetch(url, { method: 'POST', ...init });

/** name, request, status. */
const REFUSED: [string, () => Promise<Response>, number][] = [
  [
    'another content type',
    () => send(whip(regions.us, 'x'), { headers: { ...bearer, 'content-type': 'text/plain' }, body: offer }),
    415,
  ],
  ['no content type', () => send(whip(regions.us, 'x'), { headers: bearer, body: new Blob([offer]) }), 415],
  [
    'a body that is not SDP',
    () => send(whip(regions.us, 'x'), { headers: { ...bearer, ...sdp }, body: 'hello' }),
    400,
  ],
  ['an empty body', () => send(whip(regions.us, 'x'), { headers: { ...bearer, ...sdp } }), 400],
  [
    'SDP without media',
    () => send(whip(regions.us, 'x'), { headers: { ...bearer, ...sdp }, body: 'v=0\r\ns=-\r\n' }),
    400,
  ],
  [
    'an offer cut in half',
    () =>
      send(whip(regions.us, 'x'), { headers: { ...bearer, ...sdp }, body: offer.slice(0, offer.length / 2) }),
    400,
  ],
  [
    'a publisher that only receives',
    () =>
      send(whip(regions.us, 'x'), {
        headers: { ...bearer, ...sdp },
        body: offer.replaceAll('a=sendonly', 'a=recvonly'),
      }),
    422,
  ],
  [
    'two video sections',
    () =>
      send(whip(regions.us, 'x'), {
        headers: { ...bearer, ...sdp },
        body: offer.replace('m=audio', 'm=video'),
      }),
    422,
  ],
  [
    'codecs that nobody has',
    () =>
      send(whip(regions.us, 'x'), {
        headers: { ...bearer, ...sdp },
        body: offer.replace(/(VP8|VP9|AV1|H264)\/90000/g, 'H261/90000'),
      }),
    422,
  ],
  ['no token', () => send(whip(regions.us, 'x'), { headers: sdp, body: offer }), 401],
  [
    'a token that is none',
    () =>
      send(whip(regions.us, 'x'), { headers: { ...sdp, authorization: 'Bearer abc.def.ghi' }, body: offer }),
    401,
  ],
  [
    'an unknown stream on play',
    () => send(whep(regions.us, newStream('none')), { headers: sdp, body: offer }),
    409,
  ],
  [
    'a stream name with a slash in it',
    () => send(whip(regions.us, 'a%2Fb'), { headers: { ...bearer, ...sdp }, body: offer }),
    400,
  ],
  [
    'a stream name that is too long',
    () => send(whip(regions.us, 'x'.repeat(129)), { headers: { ...bearer, ...sdp }, body: offer }),
    400,
  ],
  [
    'a body that is too long',
    () =>
      send(whip(regions.us, 'x'), { headers: { ...bearer, ...sdp }, body: offer + 'a=x\r\n'.repeat(20_000) }),
    413,
  ],
  ['an unknown session', () => fetch(`${whep(regions.us, 'x')}/${randomUUID()}`, { method: 'DELETE' }), 404],
  ['a PATCH on an endpoint', () => fetch(whip(regions.us, 'x'), { method: 'PATCH', body: '' }), 405],
  ['a PUT on a session', () => fetch(`${whep(regions.us, 'x')}/y`, { method: 'PUT', body: '' }), 405],
];

describe('refused', () => {
  test.each(REFUSED)('%s', async (_name, request, status) => {
    const response = await request();
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    const body = await response.text();
    expect(problemBody.parse(JSON.parse(body)).status).toBe(status);
    expect(body).not.toMatch(/node:|\.ts|\bat \w/);
    if (status === 409) expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    if (status === 401) expect(response.headers.get('www-authenticate')).toContain('Bearer');
  });

  test('an expired token, a subscribe token and a token for another stream', async () => {
    const expired = await token({ expiresAt: Math.floor(Date.now() / 1000) - 60 });
    for (const wrong of [expired, await token({ aud: 'subscribe' }), await token({ stream: 'other' })]) {
      const headers = { ...sdp, authorization: `Bearer ${wrong}` };
      expect((await send(whip(regions.us, 'x'), { headers, body: offer })).status).toBe(401);
    }
  });

  test('a thousand of them leave transports, routers, streams and claims as they were, and viewers undisturbed', async () => {
    const stream = newStream('undisturbed');
    const publisher = await Publisher.start({ url: whip(regions.us, stream), token: world.publishToken });
    await eventually(
      () => tree(stream),
      (state) => state?.origin != null,
    );
    const viewer = await Viewer.start({ url: whep(regions.us, stream) });
    await viewer.watch(5);
    const onlyAudio = offer.replaceAll('a=sendonly', 'a=recvonly').replace(/opus\/48000\/2/g, 'speex/8000');
    const onNode: (() => Promise<Response>)[] = [
      ...REFUSED.map(([, request]) => request),
      // These get as far as a node that has the stream.
      () => send(whep(regions.us, stream), { headers: sdp, body: offer }),
      () => send(whep(regions.us, stream), { headers: sdp, body: onlyAudio }),
    ];
    // One round first: what is opened once and kept (connections) is not a leak.
    await Promise.all(onNode.map((request) => request()));
    const open = async () =>
      (await statuses(regions.us)).map(({ nodeId, open: held }) => ({ nodeId, ...held }));
    const before = await eventually(open, (state) => state.every(({ streams }) => streams <= 1));
    const memoryBefore = (await statuses(regions.us)).map(({ load }) => load.memory);
    const claims = await claimCount();
    for (let sent = 0; sent < 1_000; sent += onNode.length) {
      const answers = await Promise.all(onNode.map((request) => request()));
      expect(answers.map(({ status }) => status).filter((status) => status < 400 || status >= 500)).toEqual(
        [],
      );
    }
    await eventually(open, (after) => JSON.stringify(after) === JSON.stringify(before));
    expect(await claimCount()).toBe(claims);
    const memoryAfter = (await statuses(regions.us)).map(({ load }) => load.memory);
    for (const [index, memory] of memoryAfter.entries()) {
      // A leak of one transport a request would be some 50 MB.
      expect(memory - (memoryBefore[index] ?? 0)).toBeLessThan(40_000_000);
    }
    await viewer.watch(10);
    await viewer.stop();
    await publisher.stop();
  });
});

describe('allowed without a token', () => {
  test('OPTIONS says what a POST takes', async () => {
    const response = await fetch(whip(regions.us, 'x'), { method: 'OPTIONS' });
    expect(response.status).toBe(200);
    expect(response.headers.get('accept-post')).toBe('application/sdp');
    expect(response.headers.get('access-control-expose-headers')).toContain('Location');
  });

  test('GET and HEAD are 2xx without content', async () => {
    expect((await fetch(whip(regions.us, 'x'))).status).toBe(204);
    expect((await fetch(whep(regions.us, 'x'), { method: 'HEAD' })).headers.get('content-type')).toBe(
      'application/sdp',
    );
  });
});

describe('the control API', () => {
  test('needs the API secret, and says so in its own shape', async () => {
    const response = await fetch(`${regions.us.api}/api/streams`);
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ status: 'fail', data: { message: 'Unauthorized' } });
    expect((await fetch(`${regions.us.api}/rest/v2/cluster-nodes`)).status).toBe(401);
  });

  test('the cascade endpoint is for signed callers only', async () => {
    const response = await send(`${regions.us.api}/cascade/x`, { body: '{}' });
    expect(response.status).toBe(403);
  });
});
