// Making publish and subscribe tokens, in the shapes of Millicast's token API.

import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { originPriority, takeover } from '#routing/claims.ts';
import { regionId, streamName } from '#routing/names.ts';
import { Problem, parse } from '#routing/problem.ts';
import { signToken } from '#routing/tokens.ts';
import { here } from '../here.ts';
import { json, requireSecret } from '../http/control-api.ts';
import { type HttpAnswer, type HttpEvent, jsonBody } from '../http/endpoint.ts';

/** Seconds a token is good for when the request does not say: a day. */
const DEFAULT_LIFE = 86_400;
/** And at the most: ten years, as no token should outlive its deployment. */
const MAX_LIFE = 315_360_000;

const common = {
  label: z.string().min(1).max(256),
  streams: z
    .array(
      z.strictObject({
        streamName: z.union([z.literal('*'), streamName]),
        isRegex: z.literal(false).optional(),
      }),
    )
    .length(1),
  /** Seconds. */
  expires: z.number().int().min(1).max(MAX_LIFE).default(DEFAULT_LIFE),
};

const newPublishToken = z.strictObject({
  ...common,
  /** Viewers of the stream need a subscribe token. */
  subscribeRequiresAuth: z.boolean().default(false),
  /** The origin's region; `auto`: the one that the publisher reaches. */
  originCluster: z.union([z.literal('auto'), regionId]).default('auto'),
  /** Among redundant publishers the highest is the active origin. */
  priority: originPriority.default(0),
  /** What becomes of a publisher that is live at its priority. */
  takeover: takeover.default('same-token'),
});

const newSubscribeToken = z.strictObject(common);

export async function createPublishToken(event: HttpEvent): Promise<HttpAnswer> {
  const { regions, tokenKey } = here;
  await requireSecret(here, event);
  const request = parse(newPublishToken, jsonBody(event), 'publish_token');
  const { originCluster, subscribeRequiresAuth, priority, takeover } = request;
  if (originCluster !== 'auto' && regions.every(({ id }) => id !== originCluster)) {
    throw new Problem(400, 'invalid-request', `originCluster: there is no region ${originCluster}`);
  }
  const made = await make(tokenKey, 'publish', request, {
    viewing: subscribeRequiresAuth ? 'token' : 'open',
    priority,
    takeover,
    ...(originCluster === 'auto' ? {} : { region: originCluster }),
  });
  return json(200, {
    status: 'success',
    data: { ...made, subscribeRequiresAuth, originCluster, priority, takeover },
  });
}

export async function createSubscribeToken(event: HttpEvent): Promise<HttpAnswer> {
  const { tokenKey } = here;
  await requireSecret(here, event);
  const request = parse(newSubscribeToken, jsonBody(event), 'subscribe_token');
  return json(200, { status: 'success', data: await make(tokenKey, 'subscribe', request, {}) });
}

async function make(
  key: Uint8Array,
  aud: 'publish' | 'subscribe',
  { label, streams, expires }: z.output<typeof newSubscribeToken>,
  more: Partial<Parameters<typeof signToken>[1]>,
) {
  const id = randomUUID();
  const addedOn = new Date();
  const expiresAt = Math.floor(addedOn.getTime() / 1000) + expires;
  const stream = streams[0]?.streamName ?? '*';
  const token = await signToken(key, { jti: id, aud, stream, expiresAt, ...more });
  const expiresOn = new Date(expiresAt * 1000).toISOString();
  return { id, label, token, addedOn: addedOn.toISOString(), expiresOn, isActive: true, streams };
}
