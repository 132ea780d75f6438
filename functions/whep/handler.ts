// WHEP (draft-ietf-wish-whep): a viewer's offer to an edge of this region.

import { activeOrigin, sameHolder } from '#routing/claims.ts';
import { streamName } from '#routing/names.ts';
import { maxHeight } from '#routing/node-messages.ts';
import { Problem, parse } from '#routing/problem.ts';
import { verifyToken } from '#routing/tokens.ts';
import { here } from '../here.ts';
import { bearerToken, endpoint, type HttpAnswer, type HttpEvent, pathParameter } from '../http/endpoint.ts';
import { noContent, options, sdpBody } from '../http/sdp.ts';
import { chooseLayer, deleteSession, openSession, patchSession } from '../http/sessions.ts';
import { sourceOf } from '../http/source.ts';
import { readEvents, subscribe, unsubscribe } from './events.ts';

async function post(event: HttpEvent): Promise<HttpAnswer> {
  const from = sourceOf(event);
  // Before all else, so that bad tokens count, too, and who is refused costs no call. Not by token: an audience shares one.
  here.limits.admit('playPerAddress', from);
  const stream = parse(streamName, pathParameter(event, 'stream'), 'stream');
  const offer = sdpBody(event, 'application/sdp');
  const layer = wantedLayer(event);
  const claims = await here.routes.claims(stream);
  const origin = activeOrigin(claims);
  if (origin === undefined) {
    const detail = `nobody is publishing ${stream} now; try again when it is live`;
    throw new Problem(409, 'stream-not-live', detail, { 'Retry-After': '2' });
  }
  const isProtected = origin.viewing === 'token';
  if (isProtected) await verifyToken(here.tokenKey, bearerToken(event), { use: 'subscribe', stream });
  const lastResort =
    origin.region === here.region.id
      ? (await here.aliveNodes()).find((node) => sameHolder(node, origin))
      : undefined;
  return openSession(here, {
    use: 'whep',
    stream,
    group: 'edge',
    lastResort,
    protected: isProtected,
    urlToken: event.queryStringParameters?.token,
    counterOffer: wantsCounterOffer(event),
    body: { v: 1, stream, offer, claims, counterOffer: wantsCounterOffer(event), from, ...layer },
  });
}

/**
 * A player asks for a counter-offer by `Prefer: counter-offer` (RFC 7240's header): the draft leaves open how, and no
 * player that did not ask may get one.
 */
const wantsCounterOffer = ({ headers }: HttpEvent): boolean =>
  (headers.prefer ?? '').split(',').some((preference) => preference.trim().toLowerCase() === 'counter-offer');

/**
 * `?maxHeight=` limits the picture from the first one on, for players that know their window.
 * @throws Problem 400 when it is no height.
 */
function wantedLayer({ queryStringParameters }: HttpEvent): { layer?: { maxHeight: number } } {
  const given = queryStringParameters?.maxHeight;
  if (given === undefined) return {};
  // Number() takes an empty string for 0, which is no height either.
  return { layer: { maxHeight: parse(maxHeight, Number(given), 'maxHeight') } };
}

const ENDPOINT = '/whep/{stream}';
const SESSION = '/whep/{stream}/{session}';
const LAYER = '/whep/{stream}/{session}/layer';
const EVENTS = '/whep/{stream}/{session}/events';
const SUBSCRIPTION = '/whep/{stream}/{session}/events/{subscription}';

export const handler = endpoint({
  routes: [
    { method: 'POST', path: ENDPOINT, handle: post },
    { method: 'GET', path: ENDPOINT, handle: noContent },
    // Players look here whether a URL is a WHEP endpoint (draft-ietf-wish-whep section 4.2).
    {
      method: 'HEAD',
      path: ENDPOINT,
      handle: () => ({ statusCode: 200, headers: { 'Content-Type': 'application/sdp' } }),
    },
    { method: 'OPTIONS', path: ENDPOINT, handle: options },
    { method: 'PATCH', path: SESSION, handle: (event) => patchSession(here, 'whep', event) },
    { method: 'DELETE', path: SESSION, handle: (event) => deleteSession(here, 'whep', event) },
    { method: 'GET', path: SESSION, handle: noContent },
    { method: 'HEAD', path: SESSION, handle: noContent },
    { method: 'OPTIONS', path: SESSION, handle: options },
    { method: 'POST', path: LAYER, handle: (event) => chooseLayer(here, event) },
    { method: 'POST', path: EVENTS, handle: (event) => subscribe(here, event) },
    { method: 'GET', path: SUBSCRIPTION, handle: (event) => readEvents(here, event) },
    { method: 'DELETE', path: SUBSCRIPTION, handle: (event) => unsubscribe(here, event) },
  ],
});
