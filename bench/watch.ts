// One viewer's visit: it joins, sees a picture if it is to, leaves, and says how long it waited.

import * as z from 'zod';
import { Viewer } from '#test/media/libwebrtc.ts';

export const visit = z.object({
  /** The WHEP endpoint. */
  url: z.string(),
  /** Whether it stays until it has decoded a picture. */
  picture: z.boolean(),
});
export type Visit = z.infer<typeof visit>;

export const waited = z.object({
  /** ms from POST to 201. */
  answer: z.number(),
  /** ms from POST to the first decoded picture; 0 where none was wanted. */
  picture: z.number(),
});
export type Waited = z.infer<typeof waited>;

export type Watch = (visit: Visit) => Promise<Waited>;

/** By libwebrtc in this process. @throws HttpError when it is refused; Error when no picture comes in 15 s. */
export const watch: Watch = async ({ url, picture }) => {
  const viewer = await Viewer.start({ url });
  try {
    if (picture) await viewer.watch(1);
    return { answer: viewer.session.answeredAfter, picture: viewer.firstFrameAfter ?? 0 };
  } finally {
    await viewer.stop();
  }
};
