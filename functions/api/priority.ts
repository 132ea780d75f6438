// Another priority for a publisher that is live: which of a stream's redundant publishers goes first.

import * as z from 'zod';
import { isHeld, type OriginClaim, originPriority, sameHolder } from '#routing/claims.ts';
import { regionId, streamName } from '#routing/names.ts';
import { NodeUnreachable } from '#routing/node-client.ts';
import { nothing } from '#routing/node-messages.ts';
import { Problem, parse, unavailable } from '#routing/problem.ts';
import type { FunctionContext } from '../context.ts';
import { here } from '../here.ts';
import { json, requireSecret } from '../http/control-api.ts';
import { bearerToken, type HttpAnswer, type HttpEvent, jsonBody, pathParameter } from '../http/endpoint.ts';

const change = z.strictObject({
  /** Where the publisher is. */
  region: regionId,
  /** Which of the region's, by the id of its token; not needed where there is one. */
  tokenId: z.string().optional(),
  /** What it gets, until it leaves: a publisher that comes back has its token's. */
  priority: originPriority,
});
type Change = z.infer<typeof change>;

/** Only its own region's functions reach a node: any other region passes the request on. */
export async function setPriority(event: HttpEvent): Promise<HttpAnswer> {
  await requireSecret(here, event);
  const stream = parse(streamName, pathParameter(event, 'stream'), 'stream');
  const asked = parse(change, jsonBody(event), 'priority');
  if (asked.region !== here.region.id) return passOn(here, event, asked);
  const claim = await originOf(here, stream, asked);
  const node = (await here.aliveNodes()).find((alive) => sameHolder(alive, claim));
  if (node === undefined)
    throw unavailable('node-unreachable', `node ${claim.nodeId} of ${stream} is not alive`);
  try {
    await here.nodes.call(node, {
      method: 'POST',
      path: '/v1/priorities',
      body: { v: 1, claim, priority: asked.priority },
      answer: nothing,
      timeout: here.timing.call,
    });
  } catch (error) {
    if (error instanceof NodeUnreachable) throw unavailable('node-unreachable', error.message);
    throw error;
  }
  const { region, nodeId, tokenId } = claim;
  return json(200, {
    status: 'success',
    data: { streamName: stream, region, nodeId, tokenId, priority: asked.priority },
  });
}

/** @throws Problem 404 where no publisher fits, 409 where several do. */
async function originOf(
  { streamMap }: FunctionContext,
  stream: string,
  { region, tokenId }: Change,
): Promise<OriginClaim> {
  const { origins } = await streamMap.read(stream, { consistent: true });
  const fitting = origins.filter(
    (claim) =>
      isHeld(claim) && claim.region === region && (tokenId === undefined || claim.tokenId === tokenId),
  );
  const [claim, another] = fitting;
  if (claim === undefined) {
    throw new Problem(404, 'unknown-origin', `nobody publishes ${stream} in ${region} with such a token`);
  }
  if (another !== undefined) {
    const tokens = fitting.map((origin) => `${origin.tokenId} (priority ${origin.priority})`).join(', ');
    throw new Problem(
      409,
      'several-origins',
      `${region} has several publishers of ${stream}: give a tokenId of ${tokens}`,
    );
  }
  return claim;
}

async function passOn(
  { regions, timing }: FunctionContext,
  event: HttpEvent,
  { region, ...asked }: Change,
): Promise<HttpAnswer> {
  const target = regions.find(({ id }) => id === region);
  if (target === undefined) throw new Problem(404, 'unknown-region', `there is no region ${region}`);
  try {
    const response = await fetch(new URL(event.requestContext.http.path, target.api), {
      method: 'PUT',
      headers: { authorization: `Bearer ${bearerToken(event) ?? ''}`, 'content-type': 'application/json' },
      body: JSON.stringify({ region, ...asked }),
      signal: AbortSignal.timeout(2 * timing.call),
    });
    return json(response.status, await response.json());
  } catch (error) {
    throw unavailable(
      'region-unreachable',
      `region ${region} does not answer: give another region's publisher a higher priority`,
      2,
      error,
    );
  }
}
