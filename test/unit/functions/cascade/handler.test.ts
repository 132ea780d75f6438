// The door between regions: a leg from the region's origin or from whom the origin names, and notices passed on.

import { pino } from 'pino';
import { afterEach, beforeAll, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import type { FunctionContext } from '#functions/context.ts';
import { type Certificate, makeCertificate } from '#media-fleet/certificate.ts';
import { type ControlRequest, ControlServer } from '#media-fleet/control-server.ts';
import type { OriginClaim } from '#routing/claims.ts';
import { doubt, type LegAnswer, type LegRequest, type Notice } from '#routing/node-messages.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import { Problem } from '#routing/problem.ts';
import { nodeRecord, originClaim, regionClaim } from '#test/unit/routing/samples.ts';
import { call, type Handler } from '../events.ts';
import { REGION, startRegion, type TestRegion } from '../region.ts';

let region: TestRegion;
let handler: Handler;
let here: FunctionContext;
let certificates: Certificate[];
let stream: string;
let nodes: { record: NodeRecord; server: ControlServer }[];
/** What the nodes were asked, as `nodeId path`. */
let asked: string[];
/** Nodes that accept calls and answer none. */
let frozen: Set<string>;
/** What a witness does about a doubted claim. */
let doubts: (claim: OriginClaim) => unknown;

beforeAll(async () => {
  certificates = await Promise.all(['first', 'second', 'third'].map(makeCertificate));
  region = await startRegion();
  ({ handler } = await import('#functions/cascade/handler.ts'));
  ({ here } = await import('#functions/here.ts'));
});
beforeEach(() => {
  stream = region.newStream();
  nodes = [];
  asked = [];
  frozen = new Set();
  doubts = () => ({ v: 1, isReplaced: false });
});
afterEach(async () => {
  for (const { server, record } of nodes) {
    await server.close();
    await region.registry.remove(record);
  }
});

const never = () => new Promise(() => undefined);

/** A registered node with a real control server that answers leg requests as it is told. */
async function startNode(
  nodeId: string,
  legs: (request: ControlRequest) => LegAnswer | Promise<LegAnswer>,
): Promise<NodeRecord> {
  const certificate = certificates[nodes.length];
  if (certificate === undefined) throw new Error('more nodes than certificates');
  const incarnation = `${nodeId}-start-1`;
  const noting = (path: string, handle: (request: ControlRequest) => unknown) => ({
    method: 'POST',
    path,
    handle: (request: ControlRequest) => {
      asked.push(`${nodeId} ${path}`);
      return handle(request);
    },
  });
  const server = await ControlServer.listen({
    address: '127.0.0.1',
    port: 0,
    certificate,
    clusterKey: region.clusterKey,
    incarnation,
    routes: [
      noting('/v1/legs', legs),
      noting('/v1/notices', () => ({ v: 1 })),
      noting('/v1/doubts', ({ body }) => doubts(doubt.parse(body).claim)),
      { method: 'GET', path: '/v1/status', handle: () => (frozen.has(nodeId) ? never() : {}) },
    ],
    log: pino({ level: 'silent' }),
  });
  const record = nodeRecord({
    nodeId,
    incarnation,
    region: REGION,
    heartbeatAt: Date.now(),
    control: `127.0.0.1:${server.port}`,
    fingerprint: certificate.fingerprint,
  });
  await region.registry.beat(record);
  nodes.push({ record, server });
  return record;
}

const legRequest = (): LegRequest => ({
  v: 1,
  requestId: crypto.randomUUID(),
  stream,
  region: 'us-east-1',
  nodeId: 'i-child',
  incarnation: 'child-start-1',
  epoch: 1,
  ip: '203.0.113.9',
  port: 20_000,
  srtpParameters: { cryptoSuite: 'AEAD_AES_128_GCM', keyBase64: Buffer.alloc(28).toString('base64') },
  pulse: { codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000 }] },
});
const stale = (): LegAnswer => ({ v: 1, result: 'stale', reason: 'read the map again' });
const elsewhere =
  (...nodeIds: string[]) =>
  (): LegAnswer => ({ v: 1, result: 'elsewhere', nodeIds });

const post = (body: unknown, path = `/cascade/${stream}`) =>
  call(handler, {
    method: 'POST',
    path,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
const askForLeg = (changes: Partial<LegRequest> = {}) =>
  post({ ask: 'leg', leg: { ...legRequest(), ...changes } });

const publishOn = ({ nodeId, incarnation }: NodeRecord) =>
  region.streamMap.claimOrigin(originClaim({ stream, region: REGION, nodeId, incarnation }), undefined);

it.each<[string, Partial<LegRequest>]>([
  ['a region of another system', { region: 'ap-south-1' }],
  ['its own region', { region: REGION }],
  ['an address that is none', { ip: 'nowhere' }],
  [
    'a key of another length',
    { srtpParameters: { cryptoSuite: 'AEAD_AES_256_GCM', keyBase64: Buffer.alloc(28).toString('base64') } },
  ],
])('a leg for %s is a 400', async (_, changes) => {
  await publishOn(await startNode('i-origin', stale));
  expect((await askForLeg(changes)).status).toBe(400);
  expect(asked).toEqual([]);
});

it('a leg is asked of the stream’s origin, and its answer passed on', async () => {
  await publishOn(await startNode('i-origin', stale));
  expect(await askForLeg()).toMatchObject({ status: 200, json: stale() });
  expect(asked).toEqual(['i-origin /v1/legs']);
});

it('follows an origin that feeds enough to the nodes that it names', async () => {
  await publishOn(await startNode('i-origin', elsewhere('i-edge', 'i-unknown')));
  await startNode('i-edge', stale);
  expect((await askForLeg()).json).toEqual(stale());
  expect(asked).toEqual(['i-origin /v1/legs', 'i-edge /v1/legs']);
});

it('gives up on nodes that send it round in a circle', async () => {
  await publishOn(await startNode('i-origin', elsewhere('i-edge')));
  await startNode('i-edge', elsewhere('i-origin'));
  expect(await askForLeg()).toMatchObject({ status: 503, json: { type: 'urn:meridian:problem:no-room' } });
  expect(asked.length).toBeLessThanOrEqual(6);
});

it('a stream whose active origin is dead or nowhere is a 410; of one elsewhere the child is told', async () => {
  expect((await askForLeg()).status, 'nowhere').toBe(410);
  const origin = await startNode('i-origin', stale);
  await publishOn({ ...origin, incarnation: 'i-origin-start-0' });
  expect((await askForLeg()).status, 'dead').toBe(410);
  const elsewhere = originClaim({ stream, region: 'us-east-1', priority: 1 });
  await region.streamMap.claimOrigin(elsewhere, undefined);
  expect(await askForLeg()).toMatchObject({ status: 200, json: { result: 'stale', origin: elsewhere } });
  expect(asked).toEqual([]);
});

it('an origin that does not answer is a 503, its own refusal is passed on', async () => {
  const origin = await startNode('i-origin', () => {
    throw new Problem(410, 'stream-not-here', 'it has ended');
  });
  await publishOn(origin);
  expect(await askForLeg()).toMatchObject({ status: 410, json: { detail: 'it has ended' } });
  await nodes[0]?.server.close();
  expect(await askForLeg()).toMatchObject({
    status: 503,
    json: { type: 'urn:meridian:problem:node-unreachable' },
  });
});

/** A node that is registered, and beats, and answers nothing. */
function startFrozen(nodeId: string): Promise<NodeRecord> {
  frozen.add(nodeId);
  return startNode(nodeId, () => new Promise<LegAnswer>(() => undefined));
}
const gone = { status: 410, json: { type: 'urn:meridian:problem:stream-not-here' } };
const unreachable = { status: 503, json: { type: 'urn:meridian:problem:node-unreachable' } };

it('a frozen origin is doubted to a witness, and is a 410 when that has released its claim', async () => {
  const origin = await startFrozen('i-origin');
  await publishOn(origin);
  await startNode('i-witness', stale);
  let doubted: OriginClaim | undefined;
  doubts = async (claim) => {
    doubted = claim;
    await region.streamMap.release(claim);
    return { v: 1, isReplaced: true };
  };
  const started = performance.now();
  expect(await askForLeg()).toMatchObject(gone);
  // Two probes of 300 ms; the whole call might have taken 1 s.
  expect(performance.now() - started).toBeLessThan(1_000);
  expect(asked).toEqual(['i-origin /v1/legs', 'i-witness /v1/doubts']);
  expect(doubted).toMatchObject({ stream, nodeId: 'i-origin', epoch: 1 });
});

it('when the witness released it and another publisher is there, that one is asked', async () => {
  await publishOn(await startFrozen('i-origin'));
  const { nodeId, incarnation } = await startNode('i-backup', stale);
  doubts = async (claim) => {
    const next = originClaim({ stream, region: REGION, nodeId, incarnation, epoch: 2, priority: 1 });
    await region.streamMap.claimOrigin(next, undefined);
    await region.streamMap.release(claim);
    return { v: 1, isReplaced: true };
  };
  expect(await askForLeg()).toMatchObject({ status: 200, json: stale() });
  expect(asked).toEqual(['i-origin /v1/legs', 'i-backup /v1/doubts', 'i-backup /v1/legs']);
});

it('an origin that the witness reaches is a 503: it may be us', async () => {
  await publishOn(await startFrozen('i-origin'));
  await startNode('i-witness', stale);
  expect(await askForLeg()).toMatchObject(unreachable);
  expect(asked).toEqual(['i-origin /v1/legs', 'i-witness /v1/doubts']);
});

it('a witness that fails gives way to another', async () => {
  await publishOn(await startFrozen('i-origin'));
  await startNode('i-witness', stale);
  await startNode('i-second', stale);
  let calls = 0;
  doubts = () => {
    calls += 1;
    if (calls === 1) throw new Error('not now');
    return { v: 1, isReplaced: true };
  };
  expect(await askForLeg()).toMatchObject(gone);
  expect(asked.slice(1).toSorted()).toEqual(['i-second /v1/doubts', 'i-witness /v1/doubts']);
});

it('without a witness nobody is dead', async () => {
  await publishOn(await startFrozen('i-origin'));
  expect(await askForLeg()).toMatchObject(unreachable);
});

it('a frozen node that an origin names is no reason to doubt the origin', async () => {
  await publishOn(await startNode('i-origin', elsewhere('i-edge')));
  await startFrozen('i-edge');
  await startNode('i-witness', stale);
  expect(await askForLeg()).toMatchObject(unreachable);
  expect(asked).toEqual(['i-origin /v1/legs', 'i-edge /v1/legs']);
});

it('a slow origin that lives is waited for', async () => {
  const slow = () => new Promise<LegAnswer>((resolve) => setTimeout(resolve, 500, stale()));
  await publishOn(await startNode('i-origin', slow));
  await startNode('i-witness', stale);
  expect(await askForLeg()).toMatchObject({ status: 200, json: stale() });
  expect(asked).toEqual(['i-origin /v1/legs']);
});

it('what is remembered of the claims is read anew when the origin that it names refuses', async () => {
  const moved = () => {
    throw new Problem(410, 'stream-not-here', 'it has moved');
  };
  const [old, next] = [await startNode('i-origin', moved), await startNode('i-next', stale)];
  await publishOn(old);
  const claims = here.routes.claims.bind(here.routes);
  const remembered = await claims(stream);
  const { nodeId, incarnation } = next;
  await region.streamMap.claimOrigin(
    originClaim({ stream, region: REGION, nodeId, incarnation, epoch: 2, priority: 1 }),
    undefined,
  );
  const reading = vi
    .spyOn(here.routes, 'claims')
    .mockImplementation(async (name, options) => (options?.fresh ? claims(name, options) : remembered));
  onTestFinished(() => reading.mockRestore());
  expect(await askForLeg()).toMatchObject({ status: 200, json: stale() });
  expect(asked).toEqual(['i-origin /v1/legs', 'i-next /v1/legs']);
});

it('a publisher that the remembered claims do not know yet is found', async () => {
  const claims = here.routes.claims.bind(here.routes);
  const remembered = await claims(stream);
  await publishOn(await startNode('i-origin', stale));
  const reading = vi
    .spyOn(here.routes, 'claims')
    .mockImplementation(async (name, options) => (options?.fresh ? claims(name, options) : remembered));
  onTestFinished(() => reading.mockRestore());
  expect(await askForLeg()).toMatchObject({ status: 200, json: stale() });
});

it('an origin that refuses, and still is the origin, is asked once', async () => {
  const refusing = () => {
    throw new Problem(410, 'stream-not-here', 'it has ended');
  };
  await publishOn(await startNode('i-origin', refusing));
  expect((await askForLeg()).status).toBe(410);
  expect(asked).toEqual(['i-origin /v1/legs']);
});

it('a notice goes to the nodes of this region that hold a role, and to no other', async () => {
  await publishOn(await startNode('i-origin', stale));
  const secondary = await startNode('i-secondary', stale);
  await startNode('i-bystander', stale);
  const { nodeId, incarnation } = secondary;
  await region.streamMap.claimRegion(regionClaim({ stream, region: REGION, nodeId, incarnation }), undefined);
  const notice: Notice = { v: 1, stream, claim: originClaim({ stream, epoch: 2 }) };
  expect(await post({ ask: 'notice', notice })).toMatchObject({ status: 200, json: { v: 1 } });
  expect(asked.toSorted()).toEqual(['i-origin /v1/notices', 'i-secondary /v1/notices']);
});

it.each([
  ['no JSON object', 'leg'],
  ['another question', { ask: 'favour' }],
  ['half a request', { ask: 'leg', leg: { v: 1 } }],
])('%s is a 400', async (_, body) => {
  expect((await post(body)).status).toBe(400);
});

it('a body about another stream than the path’s is a 400', async () => {
  expect(await post({ ask: 'leg', leg: { ...legRequest(), stream: 'other' } })).toMatchObject({
    status: 400,
  });
});
