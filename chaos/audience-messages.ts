// What a run and its audiences, a process for each region, say to each other.

import * as z from 'zod';

/** To an audience; each is answered by `done` with its id. */
export const request = z.discriminatedUnion('do', [
  /** These players join, each until it has. */
  z.object({
    id: z.number(),
    do: z.literal('join'),
    region: z.string(),
    players: z.array(z.object({ stream: z.string(), url: z.url() })),
    /** By address. */
    nodes: z.record(z.string(), z.string()),
  }),
  /** That player leaves and joins again. */
  z.object({ id: z.number(), do: z.literal('rejoin'), player: z.number() }),
  /** An observation begins; `dies`: the node that is about to be hit. */
  z.object({ id: z.number(), do: z.literal('observe'), dies: z.string().optional() }),
  /** It ends: answered with what each player noted. */
  z.object({ id: z.number(), do: z.literal('tell') }),
  z.object({ id: z.number(), do: z.literal('leave') }),
]);
export type AudienceRequest = z.infer<typeof request>;

const noted = z.object({
  /** The node that it watched on when the observation began. */
  node: z.string().optional(),
  /** Its node was the one that was hit: its session was to be lost. */
  edgeDied: z.boolean(),
  /** The longest time without a new picture, in ms. */
  gap: z.number(),
  /** False when its process was too late itself meanwhile. */
  trusted: z.boolean(),
  /** Sessions that failed or were closed under it. */
  lost: z.number(),
  /** New sessions that it had to make. */
  renewed: z.number(),
});
export type Noted = z.infer<typeof noted>;

const seat = z.object({
  node: z.string().optional(),
  /** ms since the last picture. */
  age: z.number(),
});

/** From an audience. */
export const audienceReport = z.discriminatedUnion('is', [
  z.object({ is: z.literal('ready') }),
  z.object({ is: z.literal('log'), line: z.string() }),
  /** How its players are now, and the longest that its process was late since the last word. */
  z.object({ is: z.literal('now'), players: z.array(seat), lag: z.number() }),
  z.object({ is: z.literal('done'), id: z.number(), noted: z.array(noted).optional() }),
]);
export type AudienceReport = z.infer<typeof audienceReport>;
