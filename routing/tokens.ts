// Publish and subscribe tokens: signed JWTs (HS256) that are checked without a call to anything.

import { errors, jwtVerify, SignJWT } from 'jose';
import * as z from 'zod';
import { originPriority, takeover, viewing } from './claims.ts';
import { regionId, streamName } from './names.ts';
import { Problem } from './problem.ts';

const ISSUER = 'meridian';
/** Node and function clocks may differ by this much, in seconds. */
const CLOCK_TOLERANCE = 5;

const tokenClaims = z.object({
  jti: z.string().min(1).max(64),
  aud: z.enum(['publish', 'subscribe']),
  /** The stream it is for, `*` for every stream. */
  stream: z.union([z.literal('*'), streamName]),
  /** Publish tokens: whether the stream's viewers need a subscribe token. */
  viewing: viewing.default('open'),
  /** Publish tokens: the region that must be the origin; undefined: the one that the request reached. */
  region: regionId.optional(),
  /** Publish tokens: among redundant publishers the highest priority is the active origin. */
  priority: originPriority.default(0),
  /** Publish tokens: what becomes of a publisher that is live at its priority. */
  takeover: takeover.default('same-token'),
  /** Of a redirect's ticket only: what it is spent by. A token that was given to somebody has none. */
  ticket: z.uuid().optional(),
});
export type TokenClaims = z.infer<typeof tokenClaims>;
export type TokenUse = TokenClaims['aud'];

export interface NewToken extends z.input<typeof tokenClaims> {
  /** Seconds since 1970. */
  expiresAt: number;
}

/**
 * Signs a token.
 * @param key at least 32 bytes (RFC 7518 section 3.2).
 */
export async function signToken(key: Uint8Array, { expiresAt, ...given }: NewToken): Promise<string> {
  const { jti, aud, ...payload } = tokenClaims.parse(given);
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(ISSUER)
    .setAudience(aud)
    .setJti(jti)
    .setIssuedAt()
    .setExpirationTime(expiresAt)
    .sign(key);
}

export interface TokenCheck {
  use: TokenUse;
  stream: string;
  /** False on a session's URL: a token's expiry ends new starts, not what runs (Millicast does the same). */
  mustBeFresh?: boolean;
}

/**
 * Checks a token's signature, use, stream and expiry.
 * @throws Problem 401 that says which of them failed, never the token itself.
 */
export async function verifyToken(
  key: Uint8Array,
  token: string | undefined,
  { use, stream, mustBeFresh = true }: TokenCheck,
): Promise<TokenClaims> {
  if (token === undefined)
    throw unauthorized(`a ${use} token is needed: Authorization: Bearer <token>, or ?token=`);
  let claims: TokenClaims;
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['HS256'],
      issuer: ISSUER,
      audience: use,
      requiredClaims: ['exp', 'jti'],
      clockTolerance: CLOCK_TOLERANCE,
      ...(mustBeFresh ? {} : { currentDate: new Date(0) }),
    });
    claims = tokenClaims.parse(payload);
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      const expired =
        error.payload.ticket === undefined
          ? 'the token has expired'
          : "the redirect's ticket in the URL has expired; POST to the global name again";
      throw unauthorized(expired, 'invalid_token');
    }
    if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
      throw unauthorized(`the token is not a ${use} token`, 'invalid_token');
    }
    if (error instanceof errors.JOSEError || error instanceof z.ZodError) {
      throw unauthorized('the token is malformed or not signed by this system', 'invalid_token');
    }
    throw error;
  }
  if (claims.stream !== '*' && claims.stream !== stream) {
    throw unauthorized('the token is for another stream', 'insufficient_scope');
  }
  return claims;
}

/** 401 with the challenge of RFC 6750 section 3. */
export const unauthorized = (detail: string, error?: string): Problem =>
  new Problem(401, 'unauthorized', detail, {
    'WWW-Authenticate': error ? `Bearer realm="meridian", error="${error}"` : 'Bearer realm="meridian"',
  });
