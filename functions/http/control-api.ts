// What the control API's functions share: the API secret, and asking every region the same thing.

import * as z from 'zod';
import { Problem, parse } from '#routing/problem.ts';
import type { FunctionContext } from '../context.ts';
import { log } from '../log.ts';
import { bearerToken, type HttpAnswer, type HttpEvent } from './endpoint.ts';

/** `?region=self`: this region's part only; how a region asks the others. */
const OWN_PART = 'self';
const regionParameter = z.literal(OWN_PART, `only ${OWN_PART}: any region answers for all`).optional();

/** Whether only this region's part is asked for. @throws Problem 400 for another `?region=`. */
export const isOwnPart = ({ queryStringParameters }: HttpEvent): boolean =>
  parse(regionParameter, queryStringParameters?.region, 'region') === OWN_PART;

/** @throws Problem 401 without a known API secret. */
export async function requireSecret({ accountOf }: FunctionContext, event: HttpEvent): Promise<void> {
  const secret = bearerToken(event);
  if (secret === undefined || (await accountOf(secret)) === undefined) {
    throw new Problem(401, 'unauthorized', 'Unauthorized', { 'WWW-Authenticate': 'Bearer realm="meridian"' });
  }
}

export interface RegionalQuestion<Answer extends z.ZodType> {
  event: HttpEvent;
  /** What this region says. */
  own: () => Promise<z.output<Answer>>;
  answer: Answer;
}

/**
 * This region's answer and, unless the caller asked for it alone, every other region's by the same path. A region
 * that does not answer is left out: the rest of the world is still worth showing.
 */
export async function askRegions<Answer extends z.ZodType>(
  { region, regions, timing }: FunctionContext,
  { event, own, answer }: RegionalQuestion<Answer>,
): Promise<z.output<Answer>[]> {
  if (isOwnPart(event)) return [await own()];
  const others = regions.filter(({ id }) => id !== region.id);
  const asked = others.map(async ({ id, api }) => {
    const url = new URL(event.requestContext.http.path, api);
    url.searchParams.set('region', OWN_PART);
    try {
      const response = await fetch(url, {
        headers: { authorization: `Bearer ${bearerToken(event) ?? ''}` },
        signal: AbortSignal.timeout(timing.call),
      });
      if (!response.ok) throw new Error(`status ${response.status}`);
      return [answer.parse(await response.json())];
    } catch (error) {
      log.warn(`region ${id} did not answer`, { cause: String(error) });
      return [];
    }
  });
  const [mine, ...rest] = await Promise.all([own().then((given) => [given]), ...asked]);
  return [...(mine ?? []), ...rest.flat()];
}

export const json = (statusCode: number, body: unknown): HttpAnswer => ({
  statusCode,
  headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
  body: JSON.stringify(body),
});
