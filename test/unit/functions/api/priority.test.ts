// Another priority for a live publisher: by its own region's node, or passed on to the region that it is in.

import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Certificate, makeCertificate } from '#media-fleet/certificate.ts';
import { ControlServer } from '#media-fleet/control-server.ts';
import type { OriginClaim } from '#routing/claims.ts';
import { priorityChange } from '#routing/node-messages.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import { Problem } from '#routing/problem.ts';
import { silent } from '#test/unit/media-fleet/media.ts';
import { nodeRecord, originClaim } from '#test/unit/routing/samples.ts';
import { call, type Handler } from '../events.ts';
import { REGION, startRegion, type TestRegion } from '../region.ts';

const self = { region: REGION, nodeId: 'i-priority', incarnation: 'priority-start-1' };
let region: TestRegion;
let handler: Handler;
let certificate: Certificate;
let server: ControlServer;
let record: NodeRecord;
let stream: string;
/** What the node was asked, and what it does with it. */
let asked: unknown[];
let change: () => unknown;

beforeAll(async () => {
  [region, certificate] = await Promise.all([startRegion(), makeCertificate(self.nodeId)]);
  ({ handler } = await import('#functions/api/handler.ts'));
});
beforeEach(async () => {
  stream = region.newStream();
  asked = [];
  change = () => ({ v: 1 });
  region.other.says = undefined;
  region.other.asked.length = 0;
  server = await ControlServer.listen({
    address: '127.0.0.1',
    port: 0,
    certificate,
    clusterKey: region.clusterKey,
    incarnation: self.incarnation,
    routes: [
      {
        method: 'POST',
        path: '/v1/priorities',
        handle: ({ body }) => {
          asked.push(priorityChange.parse(body));
          return change();
        },
      },
    ],
    log: silent,
  });
  record = nodeRecord({
    ...self,
    heartbeatAt: Date.now(),
    control: `127.0.0.1:${server.port}`,
    fingerprint: certificate.fingerprint,
  });
  await region.registry.beat(record);
});
afterEach(async () => {
  await Promise.all([server.close(), region.registry.remove(record)]);
});

async function published(changes: Partial<OriginClaim> = {}): Promise<OriginClaim> {
  const claim = originClaim({ stream, ...self, ...changes });
  await region.streamMap.claimOrigin(claim, undefined);
  return claim;
}
const put = (body: unknown, { secret = region.secret, path = `/api/streams/${stream}/priority` } = {}) =>
  call(handler, {
    method: 'PUT',
    path,
    headers: { Authorization: `Bearer ${secret}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
const failure = (status: number, message: unknown = expect.any(String)) => ({
  status,
  json: { status: 'fail', data: { message } },
});

it('the node of the region’s only publisher is told, by the claim that it holds', async () => {
  const claim = await published({ priority: 3 });
  await published({ region: 'us-east-1', priority: 8 });
  expect(await put({ region: REGION, priority: 9 })).toMatchObject({
    status: 200,
    json: {
      status: 'success',
      data: { streamName: stream, region: REGION, nodeId: self.nodeId, tokenId: 'token-1', priority: 9 },
    },
  });
  expect(asked).toEqual([{ v: 1, claim, priority: 9 }]);
  expect(region.other.asked).toEqual([]);
});

it('of several publishers in the region it is the one whose token is named', async () => {
  await published({ priority: 1, tokenId: 'token-a' });
  const claim = await published({ priority: 2, tokenId: 'token-b' });
  expect(await put({ region: REGION, priority: 9 })).toMatchObject(
    failure(409, expect.stringMatching(/token-a \(priority 1\), token-b \(priority 2\)/)),
  );
  expect(asked).toEqual([]);
  expect((await put({ region: REGION, tokenId: 'token-b', priority: 9 })).status).toBe(200);
  expect(asked).toMatchObject([{ claim }]);
});

it.each<[string, Partial<OriginClaim> | undefined, string | undefined]>([
  ['nobody', undefined, undefined],
  ['somebody in another region only', { region: 'us-east-1' }, undefined],
  ['somebody who has left', { releasedAt: 1 }, undefined],
  ['somebody with another token', {}, 'token-2'],
])('where %s publishes it is a 404', async (_, claim, tokenId) => {
  if (claim) await published(claim);
  const body = { region: REGION, priority: 9, ...(tokenId === undefined ? {} : { tokenId }) };
  expect(await put(body)).toMatchObject(failure(404));
  expect(asked).toEqual([]);
});

it('what the node refuses is passed on', async () => {
  await published();
  change = () => {
    throw new Problem(409, 'priority-conflict', 'another origin has priority 9');
  };
  expect(await put({ region: REGION, priority: 9 })).toMatchObject(
    failure(409, 'another origin has priority 9'),
  );
  change = () => {
    throw new Problem(404, 'unknown-origin', 'it has ended');
  };
  expect(await put({ region: REGION, priority: 9 })).toMatchObject(failure(404, 'it has ended'));
});

it('a node that is dead, or does not answer, is a 503 that says when to try again', async () => {
  await published({ incarnation: 'priority-start-0' });
  expect(await put({ region: REGION, priority: 9 })).toMatchObject(failure(503));
  expect(asked).toEqual([]);
  stream = region.newStream();
  await published();
  change = () => new Promise(() => undefined);
  const answer = await put({ region: REGION, priority: 9 });
  expect(answer).toMatchObject(failure(503));
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
});

it('another region is asked itself, with the same secret, and its answer passed on', async () => {
  const says = { status: 'success', data: { priority: 9 } };
  region.other.says = says;
  await published();
  expect(await put({ region: 'us-east-1', tokenId: 'token-1', priority: 9 })).toMatchObject({
    status: 200,
    json: says,
  });
  expect(region.other.asked.map(({ method, url, headers }) => [method, url, headers.authorization])).toEqual([
    ['PUT', `/api/streams/${stream}/priority`, `Bearer ${region.secret}`],
  ]);
  expect(asked).toEqual([]);
});

it('what another region refuses comes with its own status', async () => {
  expect(await put({ region: 'us-east-1', priority: 9 })).toMatchObject({ status: 500, json: {} });
});

it('a region that is none is a 404, and nobody is asked', async () => {
  await published();
  expect(await put({ region: 'ap-south-1', priority: 9 })).toMatchObject(failure(404));
  expect(region.other.asked).toEqual([]);
});

it.each([
  ['without a priority', { region: REGION }],
  ['without a region', { priority: 1 }],
  ['with a priority of 10', { region: REGION, priority: 10 }],
  ['with a priority of -1', { region: REGION, priority: -1 }],
  ['with half a priority', { region: REGION, priority: 0.5 }],
  ['with a priority in words', { region: REGION, priority: '5' }],
  ['with what it does not know', { region: REGION, priority: 1, token: 'token-1' }],
  ['that is no object', [1]],
])('a change %s is a 400', async (_, body) => {
  await published();
  expect(await put(body)).toMatchObject(failure(400));
  expect(asked).toEqual([]);
});

it('a stream’s name that is none is a 400', async () => {
  expect(await put({ region: REGION, priority: 1 }, { path: '/api/streams/a%20b/priority' })).toMatchObject(
    failure(400),
  );
});

it('without a known secret it is a 401, for another region’s publisher too, and nobody is asked', async () => {
  await published();
  for (const body of [{ region: REGION, priority: 9 }, { region: 'us-east-1', priority: 9 }, 'nothing']) {
    expect(await put(body, { secret: 'guessed' })).toMatchObject(failure(401, 'Unauthorized'));
  }
  expect(asked).toEqual([]);
  expect(region.other.asked).toEqual([]);
});
