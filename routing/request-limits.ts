// How often an address, a token and a session may ask: the limits, their defaults, and the 429 of who asks more often.

import * as z from 'zod';
import { json } from './environment.ts';
import { Problem } from './problem.ts';
import { type Rate, RateLimit } from './rate-limit.ts';

const RANGE = 'off, or burst (1 to 1000000) and perSecond (0.01 to 1000000)';
const limit = z.union(
  [
    z.literal('off'),
    z.strictObject({
      burst: z.number().int().min(1).max(1_000_000),
      perSecond: z.number().min(0.01).max(1_000_000),
    }),
  ],
  RANGE,
);

/**
 * Each is one process's: a warm function's and, behind all functions, a node's. Our own choice: none that a client who
 * behaves reaches, and none that takes more than half of what a region's API takes from all (500 requests a second).
 */
const limits = {
  /** WHIP POSTs from an address: a production site behind one NAT, all of whose encoders come back at once. */
  publishPerAddress: limit.default({ burst: 50, perSecond: 10 }),
  /** WHIP POSTs of one stream with one token: an encoder that tries again at once, or two that take it from each other. */
  publishPerToken: limit.default({ burst: 10, perSecond: 1 }),
  /** WHEP POSTs from an address: a venue's whole audience may be behind one NAT; 3,000 are in within a minute. */
  playPerAddress: limit.default({ burst: 200, perSecond: 50 }),
  /** PATCH and POST to sessions from an address: as the last, with five candidates each. */
  changePerAddress: limit.default({ burst: 1_000, perSecond: 250 }),
  /** PATCH and POST to one session: a browser has one request a candidate, some 20 at the most, and ICE restarts. */
  changePerSession: limit.default({ burst: 50, perSecond: 10 }),
};

export const rateLimits = z.strictObject(limits, {
  error: ({ code }) =>
    code === 'unrecognized_keys' ? `there are ${Object.keys(limits).join(', ')}` : undefined,
});
export type RateLimits = z.output<typeof rateLimits>;
export type LimitName = keyof RateLimits;

const ALL_OFF = JSON.stringify(Object.fromEntries(Object.keys(limits).map((name) => [name, 'off'])));

/** `MERIDIAN_RATE_LIMITS`: `off`, or JSON with those that differ from their defaults. */
export const rateLimitsVariable = z
  .string()
  .default('{}')
  .transform((text) => (text === 'off' ? ALL_OFF : text))
  .pipe(json)
  .pipe(rateLimits);

/** What a refused client asked too often. */
const ASKED: Record<LimitName, (key: string) => string> = {
  publishPerAddress: (address) => `WHIP POSTs from ${address}`,
  publishPerToken: () => 'WHIP POSTs of this stream with this token',
  playPerAddress: (address) => `WHEP POSTs from ${address}`,
  changePerAddress: (address) => `requests to sessions from ${address}`,
  changePerSession: () => 'requests to this session',
};

/** Milliseconds between two words about refusals by one limit: who floods us must not flood the log. */
const TELL_EVERY = 60_000;

export interface RequestLimitsOptions {
  limits: RateLimits;
  /** Told of a refusal, once a minute for each limit. */
  onRefusal: (refusal: { limit: LimitName; key: string }) => void;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}

/** One process's limits. */
export class RequestLimits {
  readonly #limits = new Map<LimitName, RateLimit>();
  readonly #toldAt = new Map<LimitName, number>();
  readonly #onRefusal: RequestLimitsOptions['onRefusal'];
  readonly #now: () => number;

  constructor({ limits, onRefusal, now = () => performance.now() }: RequestLimitsOptions) {
    for (const name of rateLimits.keyof().options) {
      const rate: Rate | 'off' = limits[name];
      if (rate !== 'off') this.#limits.set(name, new RateLimit(rate));
    }
    this.#onRefusal = onRefusal;
    this.#now = now;
  }

  /**
   * Counts a request.
   * @param key the address (functions/http/source.ts), token and stream, or session that the limit is for.
   * @throws Problem 429 with `Retry-After` when it is one too many; it then does not count.
   */
  admit(name: LimitName, key: string): void {
    const limit = this.#limits.get(name);
    if (limit === undefined) return;
    const now = this.#now();
    const wait = limit.take(key, now);
    if (wait === 0) return;
    this.#tell(name, key, now);
    const { burst, perSecond } = limit.rate;
    const seconds = Math.ceil(wait / 1_000);
    throw new Problem(
      429,
      'too-many-requests',
      `too many ${ASKED[name](key)}: ${burst} at once and ${perSecond} a second are taken (${name}); try again in ${seconds} s`,
      { 'Retry-After': String(seconds) },
    );
  }

  #tell(limit: LimitName, key: string, now: number): void {
    if (now - (this.#toldAt.get(limit) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY) return;
    this.#toldAt.set(limit, now);
    this.#onRefusal({ limit, key });
  }
}

/** The key of {@link RateLimits.publishPerToken}: a token for every stream (`*`) may be in many encoders. */
export const publishKey = (tokenId: string, stream: string): string => `${tokenId} ${stream}`;
