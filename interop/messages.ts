// What a client's process says on its stdout: one JSON object a line.

import * as z from 'zod';

/** How video is published: a codec, and whether in three simulcast layers. */
export const form = z.enum(['VP8', 'VP9', 'H264', 'AV1', 'VP8 simulcast']);
export type Form = z.infer<typeof form>;

export const codec = z.enum(['VP8', 'VP9', 'H264', 'AV1']);
export type Codec = z.infer<typeof codec>;

export const codecOf = (as: Form): Codec => (as === 'VP8 simulcast' ? 'VP8' : as);

export const about = z.object({
  is: z.literal('about'),
  /** Its name and version, as a reader of the table must know them. */
  version: z.string(),
  publishes: z.array(form),
  views: z.array(codec),
  /** Why it has not got what clients of its kind have. */
  lacks: z.partialRecord(form, z.string()).default({}),
  /** What it cannot do with Meridian at all, and why: not tried again with each stream. */
  limits: z.array(z.string()).default([]),
});
export type About = z.infer<typeof about>;

/** The client is not installed, or does not run here. */
const missing = z.object({ is: z.literal('missing'), why: z.string() });

/** A publisher's, several times a second once its media flows. */
export const sending = z.object({
  is: z.literal('sending'),
  /** RTP packets of video since the start. */
  packets: z.number(),
});
export type Sending = z.infer<typeof sending>;

/** A viewer's, several times a second once its session stands. */
export const watching = z.object({
  is: z.literal('watching'),
  /** Pictures. */
  decoded: z.number(),
  /** From before the POST to the first decoded picture, in ms. */
  firstFrameMs: z.number().optional(),
  /** RTP packets of video. */
  received: z.number(),
  /** RTP packets of video that never came. */
  lost: z.number(),
  /** The last picture's size. */
  width: z.number().optional(),
  height: z.number().optional(),
});
export type Watching = z.infer<typeof watching>;

/** A recorded offer's answer was taken by the client's library. */
const taken = z.object({ is: z.literal('taken') });
export type Taken = z.infer<typeof taken>;

const failed = z.object({ is: z.literal('failed'), why: z.string() });

export const message = z.discriminatedUnion('is', [about, missing, sending, watching, taken, failed]);
export type Message = z.infer<typeof message>;
