// The tree that a region's edges make of themselves when all want one stream at once.

import { randomBytes, randomUUID } from 'node:crypto';
import { pino } from 'pino';
import type * as z from 'zod';
import { STREAMS_TABLE, startDatabase } from '#local/database.ts';
import { Background } from '#media-fleet/background.ts';
import { Peers } from '#media-fleet/peers.ts';
import { publish } from '#media-fleet/publication.ts';
import { Pull } from '#media-fleet/pull.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import { Stream } from '#media-fleet/stream.ts';
import { Workers } from '#media-fleet/workers.ts';
import { DynamoStreamMap } from '#routing/dynamo-stream-map.ts';
import { type NodeAddress, type NodeCall, NodeClient } from '#routing/node-client.ts';
import { legRequest } from '#routing/node-messages.ts';
import { RegionClient } from '#routing/region-client.ts';
import { RouteCache } from '#routing/route-cache.ts';
import { timingFrom } from '#routing/timing.ts';
import { offerText } from '#test/unit/media-fleet/sdp/offers.ts';
import { edgeRecord, REGION } from './edge-record.ts';
import type { BenchResult } from './result.ts';
import { median } from './statistics.ts';

const EDGES = [100, 1_000];
/** A node's default (media-fleet/config.ts). */
const MAX_CHILDREN = 32;

/**
 * All nodes are one process here, on one core: beats are seldom, no leg is silent for it, and a child waits for as long as
 * it takes. With the 3 s of production many of a thousand that ask one core at once would be told to come again.
 */
const timing = timingFrom({
  MERIDIAN_LEG_PULSE_MS: '5000',
  MERIDIAN_NODE_DEAD_AFTER_MS: '60000',
  MERIDIAN_LEG_SILENCE_MS: '60000',
  MERIDIAN_CALL_MS: '30000',
});
const log = pino({ level: 'silent' });

export async function trees(): Promise<BenchResult['rows']> {
  const rows: BenchResult['rows'] = [];
  for (const edges of EDGES) rows.push(await tree(edges));
  return rows;
}

/** Puts a child's request to the node that it is for, in this process. */
class NodesHere extends NodeClient {
  readonly streams = new Map<string, Stream>();

  override async callOrDoubt<Answer extends z.ZodType>(
    { nodeId }: NodeAddress,
    { body, answer }: NodeCall<Answer>,
  ): Promise<z.output<Answer>> {
    const stream = this.streams.get(nodeId);
    if (stream === undefined) throw new Error(`there is no node ${nodeId}`);
    // As text, as it goes over the wire.
    const text = JSON.stringify(await stream.children.feed(legRequest.parse(body)));
    return answer.parse(JSON.parse(text));
  }
}

async function tree(edges: number): Promise<BenchResult['rows'][number]> {
  const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench' };
  const database = await startDatabase({ regions: [REGION], credentials });
  const workers = await Workers.start({
    count: 1,
    listenAddress: '127.0.0.1',
    publicAddress: '127.0.0.1',
    crossingAddress: '127.0.0.1',
    privateAddress: '127.0.0.1',
    firstPort: 0,
    legPorts: { min: 20_000, max: 59_999 },
    iceConsent: timing.iceConsent,
    log,
  });
  const streamMap = new DynamoStreamMap(database.documents, STREAMS_TABLE);
  const records = Array.from({ length: edges + 1 }, (_, index) => edgeRecord(index));
  const nodes = new NodesHere(randomBytes(32));
  const context = {
    streamMap,
    peers: new Peers(
      new RouteCache({
        streamMap,
        nodeRegistry: { list: async () => records },
        maxAge: timing.routeCache,
      }),
      nodes,
      { ...timing, nodeDeadAfter: 600_000 },
    ),
    nodes,
    regions: new RegionClient({ regions: [], credentials: async () => credentials, timeout: timing.call }),
    workers,
    background: new Background(log),
    timing,
    log,
  };
  const streams: Stream[] = [];
  const pulls: Pull[] = [];
  try {
    for (const { nodeId, incarnation } of records) {
      const self = { region: REGION, nodeId, incarnation };
      const stream = await Stream.open({
        name: 'hot',
        self,
        maxChildren: MAX_CHILDREN,
        workers,
        timing,
        log,
      });
      nodes.streams.set(nodeId, stream);
      streams.push(stream);
    }
    const [origin, ...leaves] = streams;
    if (!origin) throw new Error('no origin');
    await becomeOrigin(origin, workers, streamMap);

    const started = performance.now();
    const joined = await Promise.all(
      leaves.map(async (stream) => {
        stream.hold();
        const pull = new Pull(stream, context, { settled: false });
        pulls.push(pull);
        await pull.nextLeg();
        return performance.now() - started;
      }),
    );
    const depths = leaves.map(({ source }) => source?.path.length ?? Number.NaN);
    const legs = streams.map(({ children }) => children.legs.length);
    const levels = [...Map.groupBy(depths, (depth) => depth)].toSorted(([a], [b]) => a - b);
    return {
      what: `tree of ${edges} edges`,
      'edges a level': levels.map(([, { length }]) => length).join(' + '),
      'most legs of a node': Math.max(...legs),
      'nodes with children': legs.filter((count) => count > 0).length,
      'p50 ms': Math.round(median(joined)),
      'all edges ms': Math.round(Math.max(...joined)),
      'ms an edge': Number((Math.max(...joined) / edges).toFixed(1)),
    };
  } finally {
    for (const pull of pulls) pull.close('superseded');
    for (const stream of streams) stream.close('node-closing');
    await context.background.settled(5_000);
    await workers.close();
    nodes.close();
    await database.close();
  }
}

/** Its publisher is an offer whose media never comes: legs are made of its tracks all the same. */
async function becomeOrigin(stream: Stream, workers: Workers, map: DynamoStreamMap): Promise<void> {
  const { self } = stream;
  const transport = await workers.createSessionTransport(stream.worker, stream.hub);
  const { producers } = await publish(readOffer(offerText('obs-publisher')), transport, stream.hub);
  const epoch = 1;
  await stream.attach({
    tracks: producers,
    flowsAt: 0,
    path: [],
    origin: { region: self.region, nodeId: self.nodeId, epoch },
    role: 'origin',
    parent: null,
    leg: async () => null,
  });
  const claim = { stream: stream.name, ...self, epoch, priority: 0, tokenId: randomUUID() };
  await map.claimOrigin({ ...claim, startedAt: Date.now(), viewing: 'open' }, undefined);
}
