// Offers of the clients in use, as they came over the wire, and small changes to them.

import { readFileSync } from 'node:fs';

export const PUBLISHERS = [
  'chromium-publisher',
  'chromium-simulcast',
  'firefox-publisher',
  'gstreamer-publisher',
  'obs-publisher',
  'aiortc-publisher',
] as const;
export const VIEWERS = ['chromium-viewer', 'firefox-viewer'] as const;
export const OFFERS = [...PUBLISHERS, ...VIEWERS] as const;
export type OfferName = (typeof OFFERS)[number];

/** An offer's text; the files hold its lines, on the wire they end in CRLF. */
export const offerText = (name: OfferName): string =>
  readFileSync(new URL(`./offers/${name}.sdp`, import.meta.url), 'utf8').replaceAll('\n', '\r\n');

/** A short offer for tests that change it: Opus and VP8, sent. */
export const plainOffer = (...changes: [from: string | RegExp, to: string][]): string =>
  changes.reduce((text, [from, to]) => {
    const has = typeof from === 'string' ? text.includes(from) : text.search(from) >= 0;
    if (!has) throw new Error(`the plain offer has no ${from}`);
    return text.replace(from, to);
  }, PLAIN);

/** A section for data channels, as browsers offer it, to be put at an offer's end. */
export const DATA_SECTION = `${`m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=mid:2
a=ice-ufrag:ufrg
a=ice-pwd:0123456789abcdefghijkl
a=fingerprint:sha-256 ${'A1:'.repeat(31)}A1
a=setup:actpass
a=sctp-port:5000
a=max-message-size:262144`.replaceAll('\n', '\r\n')}\r\n`;

const PLAIN = `${`v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=mid:0
a=sendonly
a=ice-ufrag:ufrg
a=ice-pwd:0123456789abcdefghijkl
a=fingerprint:sha-256 ${'A1:'.repeat(31)}A1
a=setup:actpass
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=fmtp:111 useinbandfec=1
a=ssrc:1001 cname:plain
m=video 9 UDP/TLS/RTP/SAVPF 96 97
c=IN IP4 0.0.0.0
a=mid:1
a=sendonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=ssrc-group:FID 2001 2002
a=ssrc:2001 cname:plain
a=ssrc:2002 cname:plain`.replaceAll('\n', '\r\n')}\r\n`;
