// WHIP (RFC 9725): a publisher's offer to a node of the origin fleet.

import { givesWayTo, type OriginClaim, sameHolder } from '#routing/claims.ts';
import { streamName } from '#routing/names.ts';
import { Problem, parse } from '#routing/problem.ts';
import { signToken, type TokenClaims, verifyToken } from '#routing/tokens.ts';
import type { FunctionContext } from '../context.ts';
import { here } from '../here.ts';
import { bearerToken, endpoint, type HttpAnswer, type HttpEvent, pathParameter } from '../http/endpoint.ts';
import { noContent, options, sdpBody } from '../http/sdp.ts';
import { deleteSession, openSession, patchSession } from '../http/sessions.ts';

/** How long the ticket in a redirect is good for, in seconds: a client follows at once. */
const REDIRECT_TICKET_LIFE = 15;

async function post(event: HttpEvent): Promise<HttpAnswer> {
  const stream = parse(streamName, pathParameter(event, 'stream'), 'stream');
  const token = await verifyToken(here.tokenKey, bearerToken(event), { use: 'publish', stream });
  const offer = sdpBody(event, 'application/sdp');
  if (token.region !== undefined && token.region !== here.region.id) return redirect(here, stream, token);

  const { jti: tokenId, viewing, priority, takeover } = token;
  // Not from the cache: a publish is rare, and two publishers must not pass each other by.
  const claims = await here.streamMap.read(stream, { consistent: true });
  const origins = await notVoid(here, claims.origins);
  const inTheWay = origins.find((claim) => givesWayTo(claim, { id: tokenId, takeover, priority }));
  if (inTheWay !== undefined) {
    const by = inTheWay.tokenId === tokenId ? 'this token, which never takes over' : 'another token';
    const detail = `${stream} is being published with ${by}`;
    throw new Problem(409, 'stream-has-publisher', detail, { 'Retry-After': '10' });
  }
  return openSession(here, {
    use: 'whip',
    stream,
    group: 'origin',
    protected: true,
    urlToken: event.queryStringParameters?.token,
    body: { v: 1, stream, offer, tokenId, viewing, priority, takeover },
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

/**
 * To the region that the token pins, by 307 (RFC 9725 section 4.6): with a ticket, for clients drop `Authorization` on
 * the way to another host. The ticket is the token itself, signed anew for a few seconds.
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
