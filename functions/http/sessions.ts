// Opening a session on a node with room, and everything that happens at a session's URL.

import type * as z from 'zod';
import { iceLinks } from '#routing/ice-servers.ts';
import { streamName } from '#routing/names.ts';
import { NodeUnreachable } from '#routing/node-client.ts';
import {
  layerRequest,
  nothing,
  patchAnswer,
  type SessionAnswer,
  sessionAnswer,
} from '#routing/node-messages.ts';
import type { NodeGroup, NodeRecord } from '#routing/node-record.ts';
import { placeSession } from '#routing/placement.ts';
import { Problem, parse, unavailable } from '#routing/problem.ts';
import { type SessionTicket, unknownSession } from '#routing/session-url.ts';
import { verifyToken } from '#routing/tokens.ts';
import { VIEWER_EVENTS } from '#routing/viewer-events.ts';
import type { FunctionContext } from '../context.ts';
import { bearerToken, type HttpAnswer, type HttpEvent, jsonBody, pathParameter } from './endpoint.ts';
import { isMediaType, sdpBody } from './sdp.ts';
import { sourceOf } from './source.ts';

/** Nodes that are tried before the region counts as full. */
const MAX_TRIES = 4;

/**
 * Into how many parts a call's time goes until a node that has not answered is doubted: a busy one must not be left for
 * being busy, as all others are then, too.
 */
const DOUBT = 3;

/** A node's refusals that are about the client's request; all others are between the node and us. */
const CLIENT_FAULTS: ReadonlySet<string> = new Set([
  'malformed-sdp',
  'unusable-sdp',
  'no-common-codec',
  'stream-not-live',
  'stream-has-publisher',
  'unknown-session',
  'session-superseded',
  'wrong-entity-tag',
  'nothing-offered',
  'too-many-requests',
  'unknown-media',
  'unknown-layer',
  'unknown-subscription',
]);

const isClientFault = (error: unknown): boolean => error instanceof Problem && CLIENT_FAULTS.has(error.code);

export interface OpenRequest {
  use: 'whip' | 'whep';
  stream: string;
  group: NodeGroup;
  /** The node to try when none of the group admits: an origin serves viewers only then. */
  lastResort?: NodeRecord | undefined;
  body: unknown;
  /** Whether the session's URL asks for a token. */
  protected: boolean;
  /** The token, where it came in the URL: then the session's URL carries it too, for such a client sends no header. */
  urlToken?: string | undefined;
  /** The player asked for a counter-offer: its `406` is the good answer. */
  counterOffer?: boolean;
}

/**
 * Places a session: a node that refuses or does not answer is left out and another is tried.
 * @returns the `201`, or the `406` of a counter-offer.
 * @throws Problem 503 with `Retry-After` when no node of the region takes it; the node's own Problem when the
 * request is at fault.
 */
export async function openSession(context: FunctionContext, request: OpenRequest): Promise<HttpAnswer> {
  const kind = request.use === 'whip' ? 'publishers' : 'viewers';
  const nodes = await context.aliveNodes();
  const exclude = new Set<string>();
  let last: unknown;
  for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
    // The last try is the last resort's, however many of the group are still untried.
    const more = attempt < MAX_TRIES - 1 || request.lastResort === undefined;
    const placed = more ? placeSession(nodes, { kind, group: request.group, exclude }) : undefined;
    const node =
      placed ??
      (request.lastResort && !exclude.has(request.lastResort.nodeId) ? request.lastResort : undefined);
    if (node === undefined) break;
    // The snapshot is ours until the next one: what we place counts, or a burst would all go to one node.
    node.load[kind] += 1;
    try {
      const call = {
        method: 'POST',
        path: `/v1/${request.use}`,
        body: request.body,
        answer: sessionAnswer,
        // The node may have to fetch the stream from another region first, which is a call of its own.
        timeout: 2 * context.timing.call,
      } as const;
      const session = await context.nodes.callOrDoubt(node, call, Math.ceil(context.timing.call / DOUBT));
      return created(context, request, node, session);
    } catch (error) {
      // What was refused takes no room: a burst of bad offers must not make the region look full.
      node.load[kind] -= 1;
      if (isClientFault(error)) throw error;
      last = error;
      exclude.add(node.nodeId);
    }
  }
  if (last instanceof Problem && last.status === 503) throw last;
  const group = `${request.group} node of ${context.region.id}`;
  if (last !== undefined)
    throw unavailable('no-node-answers', `no ${group} could open the session now`, 2, last);
  throw unavailable('region-full', `no ${group} can take another session now`);
}

async function created(
  { sessionUrls, region, iceServers }: FunctionContext,
  { use, stream, protected: isProtected, counterOffer = false, urlToken }: OpenRequest,
  { nodeId, incarnation, control, fingerprint }: NodeRecord,
  { sessionId, answer, etag }: SessionAnswer,
): Promise<HttpAnswer> {
  const sealed = await sessionUrls.seal({
    use,
    stream,
    sessionId,
    protected: isProtected,
    nodeId,
    incarnation,
    control,
    fingerprint,
  });
  const location = new URL(`/${use}/${encodeURIComponent(stream)}/${sealed}`, region.api);
  if (isProtected && urlToken !== undefined) location.searchParams.set('token', urlToken);
  const links = [
    ...iceLinks(iceServers, sessionId, Date.now()),
    ...(use === 'whep' ? extensionLinks(location) : []),
  ];
  return {
    statusCode: counterOffer ? 406 : 201,
    headers: {
      ...(counterOffer ? { 'Preference-Applied': 'counter-offer', Vary: 'Prefer' } : {}),
      ...(links.length === 0 ? {} : { Link: links.join(', ') }),
      'Content-Type': 'application/sdp',
      // Absolute and regional: the global name may lead to another region next time (RFC 9725 section 4.6).
      Location: location.href,
      ETag: etag,
      // Whoever looks into a session's trouble starts at its node.
      'Meridian-Region': region.id,
      'Meridian-Node': nodeId,
      'Cache-Control': 'no-store',
    },
    body: answer,
  };
}

/** What else a player can do at its session's URL (draft-ietf-wish-whep's extensions), with the token that the URL has. */
function extensionLinks(session: URL): string[] {
  const [layer, events] = [new URL(session), new URL(session)];
  layer.pathname += '/layer';
  events.pathname += '/events';
  return [
    `<${layer.href}>; rel="urn:ietf:params:whep:ext:core:layer"`,
    `<${events.href}>; rel="urn:ietf:params:whep:ext:core:server-sent-events"; events="${VIEWER_EVENTS.join(',')}"`,
  ];
}

/** `PATCH` on a session's URL: trickled candidates (204) or an ICE restart (200). */
export async function patchSession(
  context: FunctionContext,
  use: 'whip' | 'whep',
  event: HttpEvent,
): Promise<HttpAnswer> {
  const ticket = await openTicket(context, use, event);
  if (use === 'whep' && isMediaType(event, 'application/sdp')) return takeAnswer(context, ticket, event);
  const fragment = sdpBody(event, 'application/trickle-ice-sdpfrag');
  const ifMatch = event.headers['if-match'];
  if (ifMatch === undefined) {
    throw new Problem(
      428,
      'precondition-required',
      'a PATCH needs If-Match with the entity tag of the ICE session',
    );
  }
  const body = { v: 1, fragment, ifMatch };
  const answer = await callSession(context, ticket, { method: 'PATCH', body, answer: patchAnswer });
  if (answer.fragment === undefined || answer.etag === undefined) return { statusCode: 204 };
  return {
    statusCode: 200,
    headers: {
      'Content-Type': 'application/trickle-ice-sdpfrag',
      ETag: answer.etag,
      'Cache-Control': 'no-store',
    },
    body: answer.fragment,
  };
}

/** The player's answer to a counter-offer (WHEP draft section 4.4): 204. */
async function takeAnswer(
  context: FunctionContext,
  ticket: SessionTicket,
  event: HttpEvent,
): Promise<HttpAnswer> {
  const body = { v: 1, answer: sdpBody(event, 'application/sdp') };
  await callSession(context, ticket, { method: 'POST', path: '/answer', body, answer: nothing });
  return { statusCode: 204 };
}

/** `POST` on a player's `…/layer`: 200. What it does not name is automatic again. */
export async function chooseLayer(context: FunctionContext, event: HttpEvent): Promise<HttpAnswer> {
  const ticket = await openTicket(context, 'whep', event);
  const body = { v: 1, layer: parse(layerRequest, jsonBody(event), 'layer') };
  await callSession(context, ticket, { method: 'POST', path: '/layer', body, answer: nothing });
  return { statusCode: 200, headers: { 'Cache-Control': 'no-store' } };
}

/** `DELETE` on a session's URL, whatever its `If-Match`. */
export async function deleteSession(
  context: FunctionContext,
  use: 'whip' | 'whep',
  event: HttpEvent,
): Promise<HttpAnswer> {
  const ticket = await openTicket(context, use, event);
  await callSession(context, ticket, { method: 'DELETE', answer: nothing });
  return { statusCode: 200 };
}

/**
 * The session that a request's URL is for, its token checked.
 * @throws Problem 404, 401, or 429 unless it is a DELETE: what ends a session is always welcome.
 */
export async function openTicket(
  context: FunctionContext,
  use: 'whip' | 'whep',
  event: HttpEvent,
): Promise<SessionTicket> {
  const { method } = event.requestContext.http;
  const isLimited = method !== 'DELETE';
  // An audience behind one address reads its events every 2 s, each its own.
  if (isLimited && method !== 'GET') context.limits.admit('changePerAddress', sourceOf(event));
  const stream = parse(streamName, pathParameter(event, 'stream'), 'stream');
  const ticket = await context.sessionUrls.open(pathParameter(event, 'session'), { use, stream });
  if (ticket.protected) {
    const check = { use: use === 'whip' ? 'publish' : 'subscribe', stream, mustBeFresh: false } as const;
    await verifyToken(context.tokenKey, bearerToken(event), check);
  }
  if (isLimited) context.limits.admit('changePerSession', ticket.sessionId);
  return ticket;
}

/** @throws Problem the node's own where the client is at fault, 404 when the node is gone, 503 when it does not answer. */
export async function callSession<Answer extends z.ZodType>(
  context: FunctionContext,
  ticket: SessionTicket,
  call: { method: 'GET' | 'PATCH' | 'POST' | 'DELETE'; path?: string; body?: unknown; answer: Answer },
): Promise<z.output<Answer>> {
  const path = `/v1/sessions/${ticket.sessionId}${call.path ?? ''}`;
  try {
    return await context.nodes.call(ticket, { ...call, path, timeout: context.timing.call });
  } catch (error) {
    if (isClientFault(error)) throw error;
    if (!(error instanceof NodeUnreachable)) {
      throw unavailable('node-error', 'the node of this session could not do it now', 2, error);
    }
    const alive = await context.aliveNodes();
    // A node that died or restarted took its sessions with it; one that only does not answer still has them.
    if (!alive.some(({ incarnation }) => incarnation === ticket.incarnation)) throw unknownSession();
    throw unavailable('node-unreachable', 'the node of this session does not answer now');
  }
}
