// A node that is asked for a stream that it has not got, though a claim of its own says so: the claim goes.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { Background } from '#media-fleet/background.ts';
import { Peers } from '#media-fleet/peers.ts';
import { Streams } from '#media-fleet/streams.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { NodeClient } from '#routing/node-client.ts';
import type { LegRequest } from '#routing/node-messages.ts';
import { RegionClient } from '#routing/region-client.ts';
import { RouteCache } from '#routing/route-cache.ts';
import { originClaim, regionClaim } from '#test/unit/routing/samples.ts';
import { selfOf, timing } from './legs.ts';
import { silent, startWorkers } from './media.ts';

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
const self = selfOf('i-here');
let workers: Workers;
let database: Database;
let map: DynamoStreamMap;
let background: Background;
let streams: Streams;

const unused = () => Promise.reject(new Error('not used here'));
beforeAll(async () => {
  [workers, database] = await Promise.all([startWorkers(), startDatabase({ regions: [], credentials })]);
  map = new DynamoStreamMap(database.documents, STREAMS_TABLE);
  background = new Background(silent);
  const nodeRegistry = { list: async () => [], beat: unused, remove: unused };
  const nodes = new NodeClient(new Uint8Array(32));
  streams = new Streams({
    self,
    maxChildren: 32,
    failback: true,
    streamMap: map,
    peers: new Peers(new RouteCache({ streamMap: map, nodeRegistry, maxAge: 0 }), nodes, timing),
    nodes,
    regions: new RegionClient({ regions: [], credentials: async () => credentials, timeout: 100 }),
    workers,
    background,
    timing,
    log: silent,
  });
});
afterAll(async () => {
  streams.close();
  workers.close();
  await database.close();
});

const request = (stream: string): LegRequest => ({
  v: 1,
  requestId: randomUUID(),
  stream,
  region: self.region,
  nodeId: 'i-child',
  incarnation: 'child-start-1',
  epoch: 1,
  ip: '127.0.0.1',
  port: 20_000,
  srtpParameters: { cryptoSuite: 'AEAD_AES_128_GCM', keyBase64: Buffer.alloc(28).toString('base64') },
  pulse: { codecs: [{ mimeType: 'audio/opus', payloadType: 100, clockRate: 48_000 }] },
});

it('its own claims of the stream are released, and nobody else’s', async () => {
  const stream = randomUUID();
  await map.claimOrigin(originClaim({ stream, ...self }), undefined);
  await map.claimRegion(regionClaim({ stream, ...self }), undefined);
  await map.claimOrigin(originClaim({ stream, ...selfOf('i-other'), priority: 1 }), undefined);
  await expect(streams.feed(request(stream))).rejects.toMatchObject({ status: 410 });
  await background.settled(5_000);
  const { origins, regions } = await map.read(stream, { consistent: true });
  const live = [...origins, ...regions].filter(({ releasedAt }) => releasedAt === undefined);
  expect(live.map(({ nodeId }) => nodeId)).toEqual(['i-other']);
});
