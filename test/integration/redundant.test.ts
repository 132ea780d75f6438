// Two publishers of one stream in two regions, with real media: the next is shown on silence, the first when it is back,
// and another when somebody says so.

import { expect, test } from 'vitest';
import { Publisher } from '#test/media/libwebrtc.ts';
import { useSessions } from './sessions.ts';
import { eventually, newStream, regions, token, tree, whip, world } from './support.ts';

const { watch } = useSessions({ publishToken: () => world.publishToken, tree });

const originRegion = async (stream: string) => (await tree(stream))?.origin?.region;
const isShown = (stream: string, region: { id: string }) =>
  eventually(
    () => originRegion(stream),
    (now) => now === region.id,
  );

async function publish(stream: string, region: { id: string; api: string }, priority: number) {
  return Publisher.start({ url: whip(region, stream), token: await token({ stream, priority }) });
}

const setPriority = (stream: string, body: object) =>
  fetch(`${regions.ap.api}/api/streams/${stream}/priority`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${world.apiSecret}` },
    body: JSON.stringify(body),
  });

test('the standby is shown on silence, the first again when it is steady, and a call decides otherwise', async () => {
  const stream = newStream('redundant');
  const main = await publish(stream, regions.us, 5);
  await isShown(stream, regions.us);
  const backup = await publish(stream, regions.eu, 1);
  try {
    const viewers = await Promise.all([regions.us, regions.eu, regions.ap].map((at) => watch(stream, at)));
    await Promise.all(viewers.map((viewer) => viewer.watch(5)));

    main.silent = true;
    await isShown(stream, regions.eu);
    await Promise.all(viewers.map((viewer) => viewer.watch(5)));
    main.silent = false;
    await isShown(stream, regions.us);
    await Promise.all(viewers.map((viewer) => viewer.watch(5)));

    expect((await setPriority(stream, { region: regions.eu.id, priority: 5 })).status, 'another has it').toBe(
      409,
    );
    const raised = await setPriority(stream, { region: regions.eu.id, priority: 9 });
    expect([raised.status, await raised.json()]).toMatchObject([
      200,
      { status: 'success', data: { region: regions.eu.id, priority: 9 } },
    ]);
    await isShown(stream, regions.eu);
    await Promise.all(viewers.map((viewer) => viewer.watch(5)));
    // All this time nobody needed another session.
    expect(viewers.map(({ connection }) => connection.connectionState)).toEqual([
      'connected',
      'connected',
      'connected',
    ]);
    expect(
      (await setPriority(stream, { region: regions.ap.id, priority: 3 })).status,
      'nobody is there',
    ).toBe(404);
  } finally {
    await Promise.all([main, backup].map((publisher) => publisher.stop()));
  }
});
