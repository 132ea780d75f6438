// Trickle ICE fragments (application/trickle-ice-sdpfrag, RFC 8840): what a session's PATCH carries.

import type { WebRtcTransport } from 'mediasoup/types';
import sdpTransform from 'sdp-transform';
import { Problem } from '#routing/problem.ts';
import { candidateLine } from './answer.ts';

const LINES = /^(?:[a-z]=[^\0\r\n]*\r?\n)*[a-z]=[^\0\r\n]*(?:\r?\n)*$/;

/**
 * The credentials of a fragment, by which a restart is told from more candidates. The candidates themselves need no
 * reading: mediasoup is ICE lite, it learns the client's addresses from the client's own checks.
 * @throws Problem 400 when it is no fragment.
 */
export function readFragment(text: string): { usernameFragment: string; password: string } {
  const parsed = LINES.test(text) ? sdpTransform.parse(text) : undefined;
  const usernameFragment = parsed?.iceUfrag ?? parsed?.media[0]?.iceUfrag;
  const password = parsed?.icePwd ?? parsed?.media[0]?.icePwd;
  if (!usernameFragment || !password) {
    throw new Problem(
      400,
      'malformed-sdp',
      'the fragment is not SDP with a=ice-ufrag and a=ice-pwd (RFC 8840)',
    );
  }
  return { usernameFragment: String(usernameFragment), password: String(password) };
}

/** The answer to an ICE restart: our new credentials and our candidates. */
export function writeFragment(transport: WebRtcTransport, kind: string, mid: string): string {
  const lines = [
    'a=ice-lite',
    `a=group:BUNDLE ${mid}`,
    `m=${kind} 9 UDP/TLS/RTP/SAVPF 0`,
    `a=mid:${mid}`,
    `a=ice-ufrag:${transport.iceParameters.usernameFragment}`,
    `a=ice-pwd:${transport.iceParameters.password}`,
    ...transport.iceCandidates.map(candidateLine),
    'a=end-of-candidates',
  ];
  return `${lines.join('\r\n')}\r\n`;
}
