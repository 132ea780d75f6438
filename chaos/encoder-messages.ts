// What a run and its encoders, which are processes of their own, say to each other.

import * as z from 'zod';

const place = z.object({ region: z.string(), url: z.url() });
export type Place = z.infer<typeof place>;

/** To an encoder. */
export const order = z.discriminatedUnion('do', [
  /** Publish, at the first place now, at a random one whenever the session is lost. */
  z.object({ do: z.literal('publish'), places: z.array(place).min(1), token: z.string(), seed: z.number() }),
  /** No media, or media again; the connection stays. */
  z.object({ do: z.literal('silence'), silent: z.boolean() }),
  /** Publish at that place instead: end the session first, or let the new one take over. */
  z.object({ do: z.literal('move'), to: place, how: z.enum(['delete', 'take-over']) }),
]);
export type Order = z.infer<typeof order>;

/** From an encoder. */
export const report = z.discriminatedUnion('is', [
  z.object({ is: z.literal('ready') }),
  z.object({ is: z.literal('connected'), region: z.string() }),
  z.object({ is: z.literal('lost'), region: z.string(), why: z.string() }),
  z.object({ is: z.literal('refused'), region: z.string(), why: z.string() }),
]);
export type Report = z.infer<typeof report>;
