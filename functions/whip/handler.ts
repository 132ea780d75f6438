// WHIP (RFC 9725): a publisher's offer to a node of the origin fleet.

import { randomUUID } from 'node:crypto';
import { givesWayTo, type OriginClaim, sameHolder } from '#routing/claims.ts';
import { streamName } from '#routing/names.ts';
import { Problem, parse } from '#routing/problem.ts';
import { publishKey } from '#routing/request-limits.ts';
import { signToken, type TokenClaims, unauthorized, verifyToken } from '#routing/tokens.ts';
import type { FunctionContext } from '../context.ts';
import { here } from '../here.ts';
import { bearerToken, endpoint, type HttpAnswer, type HttpEvent, pathParameter } from '../http/endpoint.ts';
import { noContent, options, sdpBody } from '../http/sdp.ts';
import { deleteSession, openSession, patchSession } from '../http/sessions.ts';
import { sourceOf } from '../http/source.ts';

/** How long the ticket in a redirect is good for, in seconds: a client follows at once. */
const REDIRECT_TICKET_LIFE = 15;

async function post(event: HttpEvent): Promise<HttpAnswer> {
  const from = sourceOf(event);
  // Before all else, so that bad tokens count, too, and who is refused costs no call.
  here.limits.admit('publishPerAddress', from);
  const stream = parse(streamName, pathParameter(event, 'stream'), 'stream');
  const token = await verifyToken(here.tokenKey, bearerToken(event), { use: 'publish', stream });
  here.limits.admit('publishPerToken', publishKey(token.jti, stream));
  const offer = sdpBody(event, 'application/sdp');
  const { jti: tokenId, viewing, priority, takeover, ticket } = token;
  if (token.region !== undefined && token.region !== here.region.id) {
    if (ticket === undefined) return redirect(here, stream, token);
    throw notATicket(`the redirect's ticket in the URL is for ${token.region}, not for ${here.region.id}`);
  }
  // Not from the cache: a publish is rare, and two publishers must not pass each other by.
  const claims = await here.streamMap.read(stream, { consistent: true });
  const origins = await notVoid(here, claims.origins);
  const inTheWay = origins.find((claim) => givesWayTo(claim, { id: tokenId, takeover, priority }));
  if (inTheWay !== undefined) {
    const by = inTheWay.tokenId === tokenId ? 'this token, which never takes over' : 'another token';
    const detail = `${stream} is being published with ${by}`;
    throw new Problem(409, 'stream-has-publisher', detail, { 'Retry-After': '10' });
  }
  // Last of all: who was refused above may correct the request and send it here again. Once a node is asked it is spent.
  if (ticket !== undefined && !(await here.spendTicket(ticket))) {
    throw notATicket("the redirect's ticket in the URL was used before");
  }
  return openSession(here, {
    use: 'whip',
    stream,
    group: 'origin',
    protected: true,
    urlToken: event.queryStringParameters?.token,
    body: { v: 1, stream, offer, tokenId, viewing, priority, takeover, from },
  });
}

/** Without the claims of this region's dead nodes; only another region's own functions can tell which of its are void. */
async function notVoid(
  { region, aliveNodes }: FunctionContext,
  claims: OriginClaim[],
): Promise<OriginClaim[]> {
  if (claims.every((claim) => claim.region !== region.id)) return claims;
  const alive = await aliveNodes();
  return claims.filter(
    (claim) => claim.region !== region.id || alive.some((node) => sameHolder(node, claim)),
  );
}

/** A ticket that opens nothing: the way to a new one is the way that the first one came. */
const notATicket = (detail: string): Problem =>
  unauthorized(`${detail}; POST to the global name again, with your token, for a new one`, 'invalid_token');

/**
 * To the region that the token pins, by 307 (RFC 9725 section 4.6): with a ticket, for clients drop `Authorization` on
 * the way to another host. The ticket is the token itself, signed anew for a few seconds and for one POST, for URLs
 * are written into logs. At the session's URL it stays good, as every token does.
 */
async function redirect(
  { regions, tokenKey }: FunctionContext,
  stream: string,
  token: TokenClaims,
): Promise<HttpAnswer> {
  const target = regions.find(({ id }) => id === token.region);
  if (target === undefined) {
    throw new Problem(
      422,
      'unknown-region',
      `the token pins region ${token.region}, which this system does not have`,
    );
  }
  const ticket = await signToken(tokenKey, {
    ...token,
    ticket: randomUUID(),
    expiresAt: Math.floor(Date.now() / 1000) + REDIRECT_TICKET_LIFE,
  });
  const location = new URL(`/whip/${encodeURIComponent(stream)}`, target.api);
  location.searchParams.set('token', ticket);
  return { statusCode: 307, headers: { Location: location.href, 'Cache-Control': 'no-store' } };
}

const ENDPOINT = '/whip/{stream}';
const SESSION = '/whip/{stream}/{session}';

export const handler = endpoint({
  routes: [
    { method: 'POST', path: ENDPOINT, handle: post },
    { method: 'GET', path: ENDPOINT, handle: noContent },
    { method: 'HEAD', path: ENDPOINT, handle: noContent },
    { method: 'OPTIONS', path: ENDPOINT, handle: options },
    { method: 'PATCH', path: SESSION, handle: (event) => patchSession(here, 'whip', event) },
    { method: 'DELETE', path: SESSION, handle: (event) => deleteSession(here, 'whip', event) },
    { method: 'GET', path: SESSION, handle: noContent },
    { method: 'HEAD', path: SESSION, handle: noContent },
    { method: 'OPTIONS', path: SESSION, handle: options },
  ],
});
