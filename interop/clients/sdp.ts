// Changes of a client's own offer, for libraries that cannot be told their codecs.

import { parse, write } from 'sdp-transform';
import type { Codec } from '../messages.ts';

/** The offer with video of that codec alone, its retransmissions included. */
export function only(offer: string, codec: Codec): string {
  const session = parse(offer);
  for (const media of session.media) {
    if (media.type !== 'video') continue;
    const first = media.rtp.find((rtp) => rtp.codec === codec)?.payload;
    const retransmissions = media.fmtp.filter(({ config }) => config === `apt=${first}`);
    const kept = [first, ...retransmissions.map(({ payload }) => payload)].filter(
      (number) => number !== undefined,
    );
    media.payloads = kept.join(' ');
    media.rtp = media.rtp.filter(({ payload }) => kept.includes(payload));
    media.fmtp = media.fmtp.filter(({ payload }) => kept.includes(payload));
    media.rtcpFb = (media.rtcpFb ?? []).filter(({ payload }) => kept.includes(Number(payload)));
  }
  return write(session);
}
