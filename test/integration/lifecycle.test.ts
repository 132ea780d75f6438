// Sessions and claims end as they should: DELETE, silence, takeover, a publisher that comes back elsewhere, a crash.

import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { HttpError, offerToSend, Publisher, post, Viewer } from '#test/media/libwebrtc.ts';
import { streamMap } from './nodes.ts';
import { useSessions } from './sessions.ts';
import {
  crossings,
  eventually,
  live,
  newStream,
  nodesOf,
  regions,
  token,
  tree,
  whep,
  whip,
  world,
} from './support.ts';

const { publish, watch } = useSessions({ publishToken: () => world.publishToken, tree });

describe('a session ends', () => {
  test('by DELETE, once: the second is 404', async () => {
    const stream = newStream('delete');
    const publisher = await publish(stream, regions.us);
    const viewer = await watch(stream, regions.eu);
    await viewer.watch(3);
    const { location } = viewer.session;
    expect((await fetch(location, { method: 'DELETE' })).status).toBe(200);
    expect((await fetch(location, { method: 'DELETE' })).status).toBe(404);
    await eventually(
      () => live(stream),
      (state) => nodesOf(state, regions.eu).every(({ viewers }) => viewers === 0),
    );

    const authorization = `Bearer ${world.publishToken}`;
    expect((await fetch(publisher.session.location, { method: 'DELETE' })).status).toBe(401);
    expect(
      (await fetch(publisher.session.location, { method: 'DELETE', headers: { authorization } })).status,
    ).toBe(200);
    expect(
      (await fetch(publisher.session.location, { method: 'DELETE', headers: { authorization } })).status,
    ).toBe(404);
    await eventually(
      () => tree(stream),
      (state) => state?.origin == null,
    );
  });

  test('by its client, whose DELETE after that is no error', async () => {
    const stream = newStream('close-first');
    await publish(stream, regions.us);
    const viewer = await watch(stream, regions.us);
    await viewer.watch(3);
    viewer.vanish();
    await eventually(
      () => live(stream),
      (state) => nodesOf(state, regions.us).every(({ viewers }) => viewers === 0),
    );
    expect((await fetch(viewer.session.location, { method: 'DELETE' })).status).toBe(200);
    expect((await fetch(viewer.session.location, { method: 'DELETE' })).status).toBe(404);
  });

  test('when its peer vanishes', async () => {
    const stream = newStream('vanish');
    const publisher = await publish(stream, regions.us);
    const viewer = await watch(stream, regions.us);
    await viewer.watch(3);
    viewer.vanish();
    await eventually(
      () => live(stream),
      (state) => nodesOf(state, regions.us).every(({ viewers }) => viewers === 0),
    );
    publisher.vanish();
    await eventually(
      () => tree(stream),
      (state) => state === undefined,
    );
  });

  test('when its media never connects, and then nothing was claimed', async () => {
    const stream = newStream('never');
    const { location } = await post(whip(regions.us, stream), await offerToSend(), world.publishToken);
    const headers = {
      authorization: `Bearer ${world.publishToken}`,
      'content-type': 'application/trickle-ice-sdpfrag',
      'if-match': '"not the tag"',
    };
    const patch = async () =>
      (await fetch(location, { method: 'PATCH', headers, body: 'a=ice-ufrag:x\r\na=ice-pwd:y' })).status;
    expect(await patch()).toBe(412);
    expect(await tree(stream)).toBeUndefined();
    await eventually(patch, (status) => status === 404, world.timing.connect + 5_000);
    expect(await tree(stream)).toBeUndefined();
  });
});

describe('a publisher', () => {
  test('with the same token takes its stream over, and viewers keep their session', async () => {
    const stream = newStream('takeover');
    const first = await publish(stream, regions.us);
    const viewer = await watch(stream, regions.eu);
    await viewer.watch(5);
    const before = await live(stream);
    await publish(stream, regions.us);
    const after = await eventually(
      () => live(stream),
      (state) => (state.origin?.epoch ?? 0) > (before.origin?.epoch ?? 0),
    );
    expect(after.origin?.epoch).toBe(2);
    await eventually(
      () => first.connection.connectionState,
      (state) => state !== 'connected',
    );
    viewer.frames = 0;
    await viewer.watch(20);
    expect(viewer.connection.connectionState).toBe('connected');
    expect(crossings(await live(stream), regions.eu)).toHaveLength(1);
  });

  test('with another token is refused with 409 while the stream is live', async () => {
    const stream = newStream('conflict');
    await publish(stream, regions.us);
    const other = await token({ stream });
    const refused = Publisher.start({ url: whip(regions.eu, stream), token: other });
    await expect(refused).rejects.toThrow(HttpError);
    await expect(refused).rejects.toMatchObject({ status: 409 });
  });

  test('that comes back in another region finds its viewers still there', async () => {
    const stream = newStream('moves');
    const first = await publish(stream, regions.us);
    const viewers = await Promise.all(
      [regions.us, regions.eu, regions.ap].map((region) => watch(stream, region)),
    );
    await Promise.all(viewers.map((viewer) => viewer.watch(5)));
    await first.stop();
    await eventually(
      () => tree(stream),
      (state) => state?.origin === null,
    );
    const refusedWhileGone = Viewer.start({ url: whep(regions.ap, stream) });
    await expect(refusedWhileGone).rejects.toMatchObject({ status: 409 });

    await publish(stream, regions.eu);
    await Promise.all(viewers.map((viewer) => viewer.watch(20)));
    const state = await eventually(
      () => live(stream),
      (now) => crossings(now, regions.us).length === 1 && crossings(now, regions.ap).length === 1,
    );
    expect(state.origin).toMatchObject({ region: regions.eu.id });
    expect(crossings(state, regions.eu)).toEqual([]);
    // The region that had pulled is the origin's now: its secondary origin's role is given up.
    await eventually(
      () => live(stream),
      (now) => now.regions.find(({ region }) => region === regions.eu.id)?.secondaryOrigin === null,
    );
  });

  test('that does not come back within the grace ends the stream, its legs and its viewers', async () => {
    const stream = newStream('grace');
    const publisher = await publish(stream, regions.us);
    const viewer = await watch(stream, regions.eu);
    await viewer.watch(3);
    await publisher.stop();
    await eventually(
      () => viewer.connection.connectionState,
      (state) => state !== 'connected',
      world.timing.publisherGrace + 10_000,
    );
    await eventually(
      () => tree(stream),
      (state) => state === undefined,
    );
  });
});

test('an origin whose claim was released over its head takes it back, and its viewers stay', async () => {
  const stream = newStream('back');
  await publish(stream, regions.us);
  const viewer = await watch(stream, regions.eu);
  await viewer.watch(3);
  const [claim] = (await streamMap.read(stream, { consistent: true })).origins;
  if (!claim) throw new Error('no claim');
  expect(await streamMap.release(claim)).toBe(true);
  await eventually(
    () => tree(stream),
    (state) => state?.origin?.epoch === claim.epoch + 1,
  );
  await viewer.watch(10);
  expect(crossings(await live(stream), regions.eu)).toHaveLength(1);
});

describe('tokens', () => {
  const make = async (kind: 'publish_token' | 'subscribe_token', body: object): Promise<string> => {
    const response = await fetch(`${regions.ap.api}/api/${kind}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${world.apiSecret}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return z.object({ data: z.object({ token: z.string() }) }).parse(await response.json()).data.token;
  };

  test('a stream whose token says so is watched with a subscribe token only', async () => {
    const stream = newStream('closed');
    const streams = [{ streamName: stream }];
    const publishToken = await make('publish_token', { label: 'mine', streams, subscribeRequiresAuth: true });
    await publish(stream, regions.us, { token: publishToken });
    await expect(Viewer.start({ url: whep(regions.eu, stream) })).rejects.toMatchObject({ status: 401 });
    const subscribe = await make('subscribe_token', { label: 'a viewer', streams });
    const viewer = await Viewer.start({ url: whep(regions.eu, stream), token: subscribe });
    await viewer.watch(3);
    expect((await fetch(viewer.session.location, { method: 'DELETE' })).status).toBe(401);
    viewer.vanish();
  });

  test('a token that pins a region leads there by 307, and the ticket in it is enough, once', async () => {
    const stream = newStream('pinned');
    const pinned = await token({ stream, region: regions.ap.id });
    const url = whip(regions.us, stream);
    const headers = { authorization: `Bearer ${pinned}`, 'content-type': 'application/sdp' };
    const hop = await fetch(url, { method: 'POST', headers, body: 'v=0', redirect: 'manual' });
    expect(hop.status).toBe(307);
    const location = new URL(hop.headers.get('location') ?? '');
    expect(location.origin).toBe(regions.ap.api);
    const publisher = await Publisher.start({ url: location.href, token: '' });
    await eventually(
      () => tree(stream),
      (state) => state?.origin?.region === regions.ap.id,
    );
    // From whoever has read the URL in a log.
    await expect(post(location.href, await offerToSend())).rejects.toMatchObject({ status: 401 });
    // The session goes on, and its own URL still takes the ticket.
    expect((await live(stream)).origin?.region).toBe(regions.ap.id);
    expect(new URL(publisher.session.location).searchParams.get('token')).toBe(
      location.searchParams.get('token'),
    );
    await publisher.stop();
    expect((await fetch(publisher.session.location, { method: 'DELETE' })).status).toBe(404);
  });
});
