// What WHIP and WHEP sessions share: entity tags, ICE restarts, and that a session ends once.

import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { readFragment } from '#media-fleet/sdp/fragment.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import { Session, type SessionEnd } from '#media-fleet/session.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { type Hub, openHub, startWorkers } from './media.ts';
import { plainOffer } from './sdp/offers.ts';

let workers: Workers;
let hub: Hub;
let session: Session;
let ends: SessionEnd[];

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  hub = await openHub(workers);
  session = await openSession();
  ends = [];
  session.on('end', (end) => ends.push(end));
});
afterEach(() => hub.router.close());

async function openSession(connectWithin = 60_000): Promise<Session> {
  const transport = await workers.createSessionTransport(hub.media, hub.router);
  return new Session({ transport, remote: readOffer(plainOffer()), connectWithin });
}

/** The client's fragment: its offer's credentials, unless others are given. */
const fragment = (usernameFragment = 'ufrg') =>
  `a=ice-ufrag:${usernameFragment}\r\na=ice-pwd:0123456789abcdefghijkl\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n`;

it('has a strong entity tag of its own', async () => {
  expect(session.etag).toMatch(/^"[\w-]{8,}"$/);
  expect((await openSession()).etag).not.toBe(session.etag);
});

it('takes candidates for the tag’s ICE session, and keeps the tag', async () => {
  const { etag } = session;
  const { usernameFragment } = session.transport.iceParameters;
  expect(await session.patch(fragment(), etag)).toBeUndefined();
  expect(session.etag).toBe(etag);
  expect(session.transport.iceParameters.usernameFragment).toBe(usernameFragment);
});

it.each(['*', '"*"'])(
  'If-Match %s restarts ICE under a new tag, in the words of RFC 9110 and of RFC 9725',
  async (any) => {
    const before = session.etag;
    const answer = await session.patch(fragment('restarted'), any);
    expect(session.etag).not.toBe(before);
    expect(answer?.etag).toBe(session.etag);
    expect(readFragment(answer?.fragment ?? '').usernameFragment).toBe(
      session.transport.iceParameters.usernameFragment,
    );
  },
);

it('new credentials are a restart under the old tag too, and candidates for the new ones follow', async () => {
  const answer = await session.patch(fragment('restarted'), session.etag);
  expect(answer).toBeDefined();
  expect(await session.patch(fragment('restarted'), session.etag)).toBeUndefined();
});

it('a tag that is not the present one is a 412, and changes nothing', async () => {
  const stale = session.etag;
  await session.patch(fragment('restarted'), '*');
  const { usernameFragment } = session.transport.iceParameters;
  for (const tag of [stale, '"made-up"', 'W/"x"', '']) {
    await expect(session.patch(fragment('late'), tag)).rejects.toMatchObject({ status: 412 });
  }
  expect(session.transport.iceParameters.usernameFragment).toBe(usernameFragment);
});

it('of restarts at once one is answered, and its credentials and tag are the ones that count', async () => {
  for (const tags of [
    [session.etag, session.etag],
    ['*', '*', '*'],
  ]) {
    const tried = await Promise.allSettled(
      tags.map((tag, nth) => session.patch(fragment(`at-once-${nth}`), tag)),
    );
    const [answered, ...others] = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(others).toEqual([]);
    expect(answered?.etag).toBe(session.etag);
    expect(readFragment(answered?.fragment ?? '').usernameFragment).toBe(
      session.transport.iceParameters.usernameFragment,
    );
    for (const one of tried) if (one.status === 'rejected') expect(one.reason).toMatchObject({ status: 412 });
  }
});

it('what is no fragment is a 400, and the session goes on', async () => {
  await expect(session.patch('hello', '*')).rejects.toMatchObject({ status: 400 });
  expect(session.ended).toBe(false);
});

it('ends once, for the first reason, and its transport with it', () => {
  session.close('deleted');
  session.close('superseded');
  expect(ends).toEqual(['deleted']);
  expect([session.ended, session.transport.closed]).toEqual([true, true]);
});

it('ends with its hub', async () => {
  const ended = once(session, 'end');
  hub.router.close();
  expect(await ended).toEqual(['failed']);
});

it('ends when it does not connect in time', async () => {
  const late = await openSession(20);
  expect(await once(late, 'end')).toEqual(['never-connected']);
  expect(late.connected).toBe(false);
});

it('sessions are told apart', async () => {
  expect((await openSession()).id).not.toBe(session.id);
});
