// The door between regions, for nodes only: a child of another region asks for a leg, or something is to be told.

import {
  activeOrigin,
  isHeld,
  type OriginClaim,
  regionClaimOf,
  type StreamClaims,
  sameHolder,
} from '#routing/claims.ts';
import { streamName } from '#routing/names.ts';
import { NodeUnreachable } from '#routing/node-client.ts';
import {
  cascadeRequest,
  doubtAnswer,
  type LegAnswer,
  type LegRequest,
  legAnswer,
  type Notice,
  nothing,
} from '#routing/node-messages.ts';
import type { NodeRecord } from '#routing/node-record.ts';
import { askParents } from '#routing/parent-walk.ts';
import { Problem, parse, unavailable } from '#routing/problem.ts';
import { shuffled } from '#routing/shuffled.ts';
import type { FunctionContext } from '../context.ts';
import { here } from '../here.ts';
import { endpoint, type HttpAnswer, type HttpEvent, jsonBody, pathParameter } from '../http/endpoint.ts';
import { log } from '../log.ts';

async function post(event: HttpEvent): Promise<HttpAnswer> {
  const stream = parse(streamName, pathParameter(event, 'stream'), 'stream');
  const request = parse(cascadeRequest, jsonBody(event), 'cascade');
  const about =
    request.ask === 'leg' ? [request.leg.stream] : [request.notice.stream, request.notice.claim.stream];
  const other = about.find((name) => name !== stream);
  if (other !== undefined)
    throw new Problem(400, 'invalid-request', `the path says ${stream}, the body ${other}`);
  if (request.ask === 'leg') return answer(await askForLeg(here, request.leg));
  await passOn(here, request.notice);
  return answer({ v: 1 });
}

/** The leg from this region's origin, or from whom the origin names when it feeds enough children itself. */
async function askForLeg(here: FunctionContext, request: LegRequest): Promise<LegAnswer> {
  const { stream, region } = request;
  if (region === here.region.id || here.regions.every(({ id }) => id !== region)) {
    throw new Problem(400, 'invalid-request', `leg.region: ${region} is not another region of this system`);
  }
  // What is remembered may be half a second old, and the publisher have come or moved since.
  const known = activeOrigin(await here.routes.claims(stream));
  if (known?.region === here.region.id) {
    try {
      return await askOrigin(here, known, request);
    } catch (error) {
      const origin = activeOrigin(await here.routes.claims(stream, { fresh: true }));
      if (origin && sameHolder(origin, known) && origin.epoch === known.epoch) throw error;
      return askOrigin(here, origin, request);
    }
  }
  return askOrigin(here, activeOrigin(await here.routes.claims(stream, { fresh: true })), request);
}

async function askOrigin(
  here: FunctionContext,
  origin: OriginClaim | undefined,
  request: LegRequest,
): Promise<LegAnswer> {
  const { stream } = request;
  const reason = `${stream} has no active origin in ${here.region.id}`;
  if (origin === undefined) throw new Problem(410, 'stream-not-here', reason);
  // The map changed under the child, or the change has not arrived there yet, or not here.
  if (origin.region !== here.region.id) return { v: 1, result: 'stale', reason, origin };
  const find = (nodes: readonly NodeRecord[]) => nodes.find((node) => sameHolder(node, origin));
  let nodes = await here.aliveNodes();
  if (find(nodes) === undefined) nodes = await here.aliveNodes({ exact: true });
  const parent = find(nodes);
  if (parent === undefined) throw gone(stream);
  try {
    return await askParents(parent, nodes, (node) => callNode(here, node, request));
  } catch (error) {
    if (!(error instanceof NodeUnreachable)) throw error;
    if (error.nodeId === origin.nodeId && (await isReplaced(here, origin, nodes))) throw gone(stream);
    throw unavailable('node-unreachable', error.message);
  }
}

const gone = (stream: string) => new Problem(410, 'stream-not-here', `the origin of ${stream} is gone`);

/** Nodes that are asked to look at one that does not answer. */
const WITNESSES = 2;

/**
 * Whether an origin that does not answer us is dead and another waits for its place: nodes of its region look, and
 * release such a claim before the holder's heartbeat is old.
 */
async function isReplaced(
  { nodes: client, timing }: FunctionContext,
  claim: OriginClaim,
  nodes: readonly NodeRecord[],
): Promise<boolean> {
  const others = shuffled(nodes.filter((node) => !sameHolder(node, claim)));
  for (const node of others.slice(0, WITNESSES)) {
    try {
      const { isReplaced } = await client.call(node, {
        method: 'POST',
        path: '/v1/doubts',
        body: { v: 1, claim },
        answer: doubtAnswer,
        // Whoever asks us waits for as long as one call may take.
        timeout: Math.ceil(timing.call / (WITNESSES + 1)),
      });
      return isReplaced;
    } catch (error) {
      log.warn(String(error), { stream: claim.stream });
    }
  }
  return false;
}

function callNode(
  { nodes, timing }: FunctionContext,
  node: NodeRecord,
  request: LegRequest,
): Promise<LegAnswer> {
  return nodes.callOrDoubt(
    node,
    { method: 'POST', path: '/v1/legs', body: request, answer: legAnswer, timeout: timing.call },
    timing.probe,
  );
}

/** A notice goes to the nodes of this region that hold a role for the stream. */
async function passOn(here: FunctionContext, notice: Notice): Promise<void> {
  if (here.regions.every(({ id }) => id !== notice.claim.region)) {
    throw new Problem(
      400,
      'invalid-request',
      `claim.region: ${notice.claim.region} is not a region of this system`,
    );
  }
  const holders = holdersHere(await here.routes.claims(notice.stream, { fresh: true }), here.region.id);
  const nodes = (await here.aliveNodes()).filter((node) =>
    holders.some((holder) => sameHolder(holder, node)),
  );
  await Promise.all(
    nodes.map((node) =>
      here.nodes
        .call(node, {
          method: 'POST',
          path: '/v1/notices',
          body: notice,
          answer: nothing,
          timeout: here.timing.call,
        })
        .catch((error: unknown) => {
          // A node that cannot be told finds out by its own checks.
          log.warn(String(error), { stream: notice.stream });
        }),
    ),
  );
}

const holdersHere = (claims: StreamClaims, region: string) => {
  const secondary = regionClaimOf(claims, region);
  const origins = claims.origins.filter((claim) => claim.region === region);
  return [...origins, ...(secondary ? [secondary] : [])].filter(isHeld);
};

const answer = (body: unknown): HttpAnswer => ({
  statusCode: 200,
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(body),
});

export const handler = endpoint({ routes: [{ method: 'POST', path: '/cascade/{stream}', handle: post }] });
