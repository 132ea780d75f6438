// The first viewer of a stream that was published a moment ago: functions may not know of it yet.

import { eventually } from '#test/eventually.ts';
import { Viewer } from '#test/media/libwebrtc.ts';

/** @param url the WHEP endpoint. @throws Error, with the last refusal, when it cannot be played within 15 s. */
export async function firstViewer(url: string): Promise<Viewer> {
  const joined = await eventually(
    () => Viewer.start({ url }).catch((error: unknown) => String(error)),
    (viewer) => typeof viewer !== 'string',
  );
  if (typeof joined === 'string') throw new Error(joined);
  return joined;
}
