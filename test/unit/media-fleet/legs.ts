// Streams of several nodes on one real worker, fed by a publisher's tracks or by each other, for tests of legs.

import { json } from 'node:stream/consumers';
import { Leg } from '#media-fleet/leg.ts';
import { publish } from '#media-fleet/publication.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import type { Self, Source } from '#media-fleet/source.ts';
import { Stream } from '#media-fleet/stream.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { cascadeRequest, type LegAnswer, type LegRequest } from '#routing/node-messages.ts';
import { Problem } from '#routing/problem.ts';
import { timingFrom } from '#routing/timing.ts';
import { startServer } from '#test/unit/routing/http-server.ts';
import { silent } from './media.ts';
import { plainOffer } from './sdp/offers.ts';

/** Beats as in production, but no silence ends a leg of a busy machine. */
export const timing = timingFrom({ MERIDIAN_LEG_SILENCE_MS: '5000', MERIDIAN_NODE_DEAD_AFTER_MS: '10000' });

export const selfOf = (nodeId: string, region = 'eu-west-1'): Self => ({
  region,
  nodeId,
  incarnation: `${nodeId}-start-1`,
});

export interface OpenStream {
  self: Self;
  name?: string;
  maxChildren?: number;
}

export const openStream = (
  workers: Workers,
  { self, name = 'concert', maxChildren = 32 }: OpenStream,
): Promise<Stream> => Stream.open({ name, self, maxChildren, workers, timing, log: silent });

/** A publisher's tracks on the stream's hub, without a client that would send any. */
export async function publisherOf(workers: Workers, stream: Stream, epoch = 1): Promise<Source> {
  const transport = await workers.createSessionTransport(stream.worker, stream.hub);
  const { producers } = await publish(readOffer(plainOffer()), transport, stream.hub);
  const { region, nodeId } = stream.self;
  return {
    tracks: producers,
    flowsAt: 0,
    path: [],
    origin: { region, nodeId, epoch },
    role: 'origin',
    parent: null,
    leg: async () => null,
  };
}

export const feedByPublisher = async (workers: Workers, stream: Stream, epoch = 1): Promise<void> =>
  stream.attach(await publisherOf(workers, stream, epoch));

export interface LegWanted {
  parent: Stream;
  child: Stream;
  epoch?: number;
  /** Changes the request on its way. */
  change?: (request: LegRequest) => LegRequest;
}

/** Asks `parent` for a leg to `child`, as a node does. */
export const askForLeg = (
  workers: Workers,
  { parent, child, epoch = 1, change = (same) => same }: LegWanted,
) =>
  Leg.open({
    stream: child,
    workers,
    timing,
    crossing: parent.self.region !== child.self.region,
    epoch,
    ask: (request) => parent.children.feed(change(request)),
  });

/** As {@link askForLeg}; the child is fed by it. */
export async function feedByLeg(workers: Workers, wanted: LegWanted): Promise<Leg> {
  const outcome = await askForLeg(workers, wanted);
  if ('refused' in outcome) throw new Error(`refused: ${JSON.stringify(outcome.refused)}`);
  outcome.leg.on('word', () => wanted.child.passOn());
  await wanted.child.attach(outcome.leg);
  return outcome.leg;
}

/** What a parent answered that did not give a leg. */
export async function refusalOf(
  asked: ReturnType<typeof askForLeg>,
): Promise<Exclude<LegAnswer, { result: 'accepted' }> | undefined> {
  const outcome = await asked;
  return 'refused' in outcome ? outcome.refused : undefined;
}

/** Answers another region's `/cascade`: its nodes are asked for legs alone. @param origin asked with each request. */
export const startCascade = (origin: () => Stream) =>
  startServer(async (request, response) => {
    const asked = cascadeRequest.parse(await json(request));
    if (asked.ask !== 'leg') return;
    try {
      response.end(JSON.stringify(await origin().children.feed(asked.leg)));
    } catch (error) {
      response.writeHead(error instanceof Problem ? error.status : 500).end(JSON.stringify(error));
    }
  });
