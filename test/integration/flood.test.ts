// A flood of requests from one address: it is refused, and who watches, joins and publishes from another notices nothing.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { floodRows } from '#conformance/rows/flood.ts';
import { runConformance } from '#conformance/run.ts';
import { startWorld, type World } from '#local/world.ts';
import { problemBody } from '#routing/problem.ts';
import { offerToReceive, offerToSend } from '#test/media/libwebrtc.ts';
import { useSessions } from './sessions.ts';
import { newStream, readTree, regionAt, whep, whip } from './support.ts';

/** Few, and so slow to come back that a busy machine does not see it. */
const BURST = 20;
const limit = { burst: BURST, perSecond: 0.01 };

let world: World;
beforeAll(async () => {
  world = await startWorld({
    regions: ['eu-west-1'],
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    env: {
      MERIDIAN_CPU_LIMIT: '1',
      MERIDIAN_RATE_LIMITS: JSON.stringify({
        playPerAddress: limit,
        publishPerAddress: limit,
        changePerSession: limit,
      }),
      // Its refusals would be told here.
      MERIDIAN_LOG_LEVEL: 'error',
      POWERTOOLS_LOG_LEVEL: 'ERROR',
    },
  });
});
afterAll(() => world.close());

const region = () => regionAt(world, 0);
const tree = (stream: string) => readTree(stream, region(), world.apiSecret);
const { publish, watch } = useSessions({ publishToken: () => world.publishToken, tree });

/** All of this machine's loopback; libwebrtc's own requests come from 127.0.0.1. */
const FLOODER = '127.0.0.66';
const NEIGHBOUR = '127.0.0.67';

interface Answered {
  status: number;
  retryAfter: string | undefined;
  body: string;
}

/** A POST from an address of this machine. */
async function postFrom(
  from: string,
  url: string,
  offer: string,
  headers: Record<string, string> = {},
): Promise<Answered> {
  const outgoing = request(url, {
    method: 'POST',
    localAddress: from,
    headers: { 'content-type': 'application/sdp', ...headers },
  });
  outgoing.end(offer);
  const [response]: IncomingMessage[] = await once(outgoing, 'response');
  if (response === undefined) throw new Error('no response');
  return {
    status: response.statusCode ?? 0,
    retryAfter: response.headers['retry-after'],
    body: await text(response),
  };
}

/** All at once. */
const flood = (count: number, ask: () => Promise<Answered>) =>
  Promise.all(Array.from({ length: count }, ask));

test('players that flood are refused, those of other addresses join, and who watches goes on', async () => {
  const stream = newStream('flooded');
  await publish(stream, region());
  const viewer = await watch(stream, region());
  await viewer.watch(1);
  const offer = await offerToReceive();
  const url = whep(region(), stream);

  let from = 0;
  const answers = await flood(5 * BURST, () => {
    from += 1;
    // Whatever it says of itself, it is the address that the connection comes from.
    return postFrom(FLOODER, url, offer, { 'x-forwarded-for': `203.0.113.${from}` });
  });
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(4 * BURST);
  for (const { retryAfter, body } of refused) {
    expect(Number(retryAfter)).toBeGreaterThan(0);
    expect(problemBody.parse(JSON.parse(body))).toMatchObject({
      type: 'urn:meridian:problem:too-many-requests',
      detail: expect.stringContaining(`WHEP POSTs from ${FLOODER}: ${BURST} at once`),
    });
  }
  // Of the others some are more than a node lets wait for their connection; none was refused for its address.
  const others = answers.filter(({ status }) => status !== 429).map(({ status }) => status);
  expect(others.every((status) => status === 201 || status === 503)).toBe(true);

  await viewer.watch(1);
  expect((await postFrom(FLOODER, url, offer)).status).toBe(429);
  expect((await postFrom(NEIGHBOUR, url, offer)).status).toBe(201);
  await (await watch(stream, region())).watch(1);
});

test('who guesses tokens is refused after a while, also with a good one; a publisher elsewhere is let in', async () => {
  const offer = await offerToSend();
  const url = whip(region(), newStream('guessed'));
  const guesses = await flood(2 * BURST, () =>
    postFrom(FLOODER, url, offer, { authorization: 'Bearer guess' }),
  );
  const count = (wanted: number) => guesses.filter(({ status }) => status === wanted).length;
  expect([count(401), count(429)]).toEqual([BURST, BURST]);
  const good = { authorization: `Bearer ${world.publishToken}` };
  expect((await postFrom(FLOODER, url, offer, good)).status).toBe(429);
  expect((await postFrom(NEIGHBOUR, url, offer, good)).status).toBe(201);
});

test('the conformance suite’s floods are refused with Retry-After', async () => {
  const stream = newStream('conformance');
  const target = {
    whip: whip(region(), stream),
    whep: whep(region(), stream),
    token: world.publishToken,
    flood: 5 * BURST,
  };
  const verdicts = await runConformance(target, () => undefined, floodRows);
  expect(verdicts.map(({ row, result, why }) => `${row.id} ${result} ${why}`)).toEqual(
    floodRows.map(({ id }) => `${id} PASS `),
  );
});
