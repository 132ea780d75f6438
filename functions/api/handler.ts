// The control API under /api, in Millicast's envelope: live streams, each one's cascade tree, and new tokens.

import * as z from 'zod';
import { activeOrigin, isHeld, type OriginClaim } from '#routing/claims.ts';
import { streamName } from '#routing/names.ts';
import { type StreamReport, streamReport, streamReports } from '#routing/node-messages.ts';
import { Problem, parse } from '#routing/problem.ts';
import type { FunctionContext } from '../context.ts';
import { here } from '../here.ts';
import { askRegions, isOwnPart, json, requireSecret } from '../http/control-api.ts';
import { endpoint, type HttpAnswer, type HttpEvent, pathParameter } from '../http/endpoint.ts';
import { log } from '../log.ts';
import { setPriority } from './priority.ts';
import { createPublishToken, createSubscribeToken } from './tokens.ts';

/** Streams a page of the list holds. */
const PAGE = 100;

/** One region's part of a stream's tree. */
const regionPart = z.object({ region: z.string(), nodes: z.array(streamReport) });
type RegionPart = z.infer<typeof regionPart>;

async function list(event: HttpEvent): Promise<HttpAnswer> {
  await requireSecret(here, event);
  const after = event.queryStringParameters?.next;
  const { origins, next } = await here.streamMap.held({ limit: PAGE, after });
  const byStream = Map.groupBy(origins, ({ stream }) => stream);
  const streams = [...byStream].map(([stream, claims]) => ({
    streamName: stream,
    origin: originOf(activeOrigin({ stream, origins: claims, regions: [] })),
  }));
  return json(200, { status: 'success', data: { streams, ...(next === undefined ? {} : { next }) } });
}

async function tree(event: HttpEvent): Promise<HttpAnswer> {
  await requireSecret(here, event);
  const stream = parse(streamName, pathParameter(event, 'stream'), 'stream');
  const own = () => reportsHere(here, stream);
  const parts = await askRegions(here, { event, own, answer: regionPart });
  const [part] = parts;
  if (isOwnPart(event) && part) return json(200, part);

  const claims = await here.streamMap.read(stream);
  const origin = activeOrigin(claims);
  const secondaries = claims.regions.filter(isHeld);
  if (origin === undefined && secondaries.length === 0 && parts.every(({ nodes }) => nodes.length === 0)) {
    throw new Problem(404, 'unknown-stream', `${stream} is not live`);
  }
  return json(200, {
    status: 'success',
    data: {
      streamName: stream,
      origin: originOf(origin),
      origins: claims.origins
        .filter(isHeld)
        .toSorted((a, b) => b.priority - a.priority)
        .map(({ region, nodeId, epoch, priority, tokenId, yields = false }) => ({
          region,
          nodeId,
          epoch,
          priority,
          tokenId,
          yields,
        })),
      regions: parts.map(({ region, nodes }) => {
        const claim = secondaries.find((secondary) => secondary.region === region);
        return {
          region,
          secondaryOrigin: claim ? { nodeId: claim.nodeId, epoch: claim.epoch } : null,
          nodes: nodes.map(({ nodeId, role, parent, viewers, hops, leg, tracks }) => ({
            nodeId,
            role,
            parent,
            viewers,
            leg,
            hops,
            tracks,
          })),
        };
      }),
    },
  });
}

/** `PUT`: the region leaves the global name with its next check; `DELETE`: it may come back. */
function evacuation(evacuated: boolean) {
  return async (event: HttpEvent): Promise<HttpAnswer> => {
    await requireSecret(here, event);
    const region = pathParameter(event, 'region');
    if (here.regions.every(({ id }) => id !== region)) {
      throw new Problem(404, 'unknown-region', `there is no region ${region}`);
    }
    await here.setEvacuated(region, evacuated);
    return json(200, { status: 'success', data: { region, evacuated } });
  };
}

/** Asks every living node of the region what it has of the stream; one that does not answer is left out. */
async function reportsHere(here: FunctionContext, stream: string): Promise<RegionPart> {
  const nodes = await here.aliveNodes();
  const reports = await Promise.all(
    nodes.map(async (node): Promise<StreamReport[]> => {
      const path = `/v1/streams/${encodeURIComponent(stream)}`;
      try {
        const call = { method: 'GET', path, answer: streamReports, timeout: here.timing.call } as const;
        return (await here.nodes.call(node, call)).streams;
      } catch (error) {
        log.warn(String(error), { stream });
        return [];
      }
    }),
  );
  return { region: here.region.id, nodes: reports.flat() };
}

const originOf = (origin: OriginClaim | undefined) =>
  origin
    ? {
        region: origin.region,
        nodeId: origin.nodeId,
        epoch: origin.epoch,
        startedAt: new Date(origin.startedAt).toISOString(),
      }
    : null;

export const handler = endpoint({
  routes: [
    { method: 'GET', path: '/api/streams', handle: list },
    { method: 'GET', path: '/api/streams/{stream}', handle: tree },
    { method: 'PUT', path: '/api/streams/{stream}/priority', handle: setPriority },
    { method: 'PUT', path: '/api/evacuations/{region}', handle: evacuation(true) },
    { method: 'DELETE', path: '/api/evacuations/{region}', handle: evacuation(false) },
    { method: 'POST', path: '/api/publish_token', handle: createPublishToken },
    { method: 'POST', path: '/api/subscribe_token', handle: createSubscribeToken },
  ],
  errorBody: ({ message }) => ({
    contentType: 'application/json',
    body: JSON.stringify({ status: 'fail', data: { message } }),
  }),
});
