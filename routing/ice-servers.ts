// STUN and TURN servers for clients, as Link headers (RFC 9725 section 4.6), with TURN credentials that expire.

import { createHmac } from 'node:crypto';
import * as z from 'zod';

/** How long a TURN credential is good for, in seconds: a session that starts with it may allocate anew this long. */
const CREDENTIAL_LIFE = 86_400;

export const iceServers = z.array(
  z.strictObject({
    /** As `stun:stun.example.com:3478` or `turns:turn.example.com:443?transport=tcp` (RFC 7064, RFC 7065). */
    url: z.string().regex(/^(stun|turn)s?:[^\s<>"]+$/, 'a stun:, stuns:, turn: or turns: URL'),
    /** TURN: the secret shared with the server (coturn's static-auth-secret); credentials are made from it. */
    secret: z.string().min(16).optional(),
  }),
);
export type IceServers = z.infer<typeof iceServers>;

/**
 * One `Link` value per server. TURN user names are `<expiry>:<id>`, passwords the HMAC-SHA1 of it
 * (draft-uberti-behave-turn-rest-00, what coturn implements).
 * @param now milliseconds since 1970.
 */
export function iceLinks(servers: IceServers, id: string, now: number): string[] {
  const username = `${Math.floor(now / 1000) + CREDENTIAL_LIFE}:${id}`;
  return servers.map(({ url, secret }) => {
    const link = `<${url}>; rel="ice-server"`;
    if (secret === undefined) return link;
    const credential = createHmac('sha1', secret).update(username).digest('base64');
    return `${link}; username="${username}"; credential="${credential}"; credential-type="password"`;
  });
}
