// The SDP answers of a node: one transport for all sections, ICE lite, every candidate in the answer.

import { randomBytes } from 'node:crypto';
import type { RtcpFeedback, WebRtcTransport } from 'mediasoup/types';
import type { Offer, OfferedMedia } from './offer.ts';

export interface AnsweredCodec {
  payloadType: number;
  mimeType: string;
  clockRate: number;
  channels: number | undefined;
  fmtp: string | undefined;
  rtcpFeedback: readonly RtcpFeedback[];
  rtxPayloadType: number | undefined;
}

export interface AnsweredMedia {
  offered: Pick<OfferedMedia, 'kind' | 'mid' | 'protocol'>;
  direction: 'recvonly' | 'sendonly' | 'inactive';
  codec: AnsweredCodec;
  extensions: readonly { id: number; uri: string }[];
  /** The simulcast layers that we receive, in the offer's order. */
  receiveRids: readonly string[];
  /** `a=msid` of what we send: one stream id for all sections. */
  msid: string | undefined;
}

/** Writes the answer to an offer. */
export const writeAnswer = (
  offer: Offer,
  transport: WebRtcTransport,
  media: readonly AnsweredMedia[],
): string => writeDescription(offer.answerSetup, transport, media);

/** Writes an answer, or an offer of our own. */
export function writeDescription(
  setup: 'active' | 'passive' | 'actpass',
  transport: WebRtcTransport,
  media: readonly AnsweredMedia[],
): string {
  const fingerprint = transport.dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256');
  if (fingerprint === undefined) throw new Error('the worker has no SHA-256 fingerprint');
  const bundle = media.map(({ offered }) => offered.mid).join(' ');
  const lines = [
    'v=0',
    // A random session id: 64 bits with the highest one zero (RFC 8829 section 5.2.1).
    `o=- ${randomBytes(8).readBigUInt64BE() >> 1n} 1 IN IP4 127.0.0.1`,
    's=-',
    't=0 0',
    `a=group:BUNDLE ${bundle}`,
    'a=ice-lite',
    `a=fingerprint:sha-256 ${fingerprint.value}`,
    'a=msid-semantic: WMS *',
    ...media.flatMap((section, index) => mediaLines(setup, transport, section, index === 0)),
  ];
  return `${lines.join('\r\n')}\r\n`;
}

function mediaLines(
  setup: string,
  transport: WebRtcTransport,
  section: AnsweredMedia,
  first: boolean,
): string[] {
  const { offered, codec, direction } = section;
  const { payloadType, rtxPayloadType } = codec;
  const name = codec.mimeType.slice(codec.mimeType.indexOf('/') + 1);
  const channels = codec.channels !== undefined && codec.channels > 1 ? `/${codec.channels}` : '';
  const payloads = rtxPayloadType === undefined ? `${payloadType}` : `${payloadType} ${rtxPayloadType}`;
  return [
    `m=${offered.kind} 9 ${offered.protocol} ${payloads}`,
    'c=IN IP4 0.0.0.0',
    `a=mid:${offered.mid}`,
    `a=${direction}`,
    ...(section.msid === undefined ? [] : [`a=msid:${section.msid} ${offered.kind}`]),
    `a=ice-ufrag:${transport.iceParameters.usernameFragment}`,
    `a=ice-pwd:${transport.iceParameters.password}`,
    `a=setup:${setup}`,
    'a=rtcp-mux',
    'a=rtcp-mux-only',
    'a=rtcp-rsize',
    `a=rtpmap:${payloadType} ${name}/${codec.clockRate}${channels}`,
    ...(codec.fmtp === undefined ? [] : [`a=fmtp:${payloadType} ${codec.fmtp}`]),
    ...codec.rtcpFeedback.map(
      ({ type, parameter }) => `a=rtcp-fb:${payloadType} ${parameter ? `${type} ${parameter}` : type}`,
    ),
    ...(rtxPayloadType === undefined
      ? []
      : [`a=rtpmap:${rtxPayloadType} rtx/${codec.clockRate}`, `a=fmtp:${rtxPayloadType} apt=${payloadType}`]),
    ...section.extensions.map(({ id, uri }) => `a=extmap:${id} ${uri}`),
    ...section.receiveRids.map((rid) => `a=rid:${rid} recv`),
    ...(section.receiveRids.length === 0 ? [] : [`a=simulcast:recv ${section.receiveRids.join(';')}`]),
    // Candidates stand in the bundle's tagged section (RFC 9725 section 4.3.2); all of them, for we do not trickle.
    ...(first ? [...transport.iceCandidates.map(candidateLine), 'a=end-of-candidates'] : []),
  ];
}

/** RFC 8839 section 5.1. */
export function candidateLine(candidate: WebRtcTransport['iceCandidates'][number]): string {
  const { foundation, protocol, priority, address, port, type, tcpType } = candidate;
  const tcp = tcpType === undefined ? '' : ` tcptype ${tcpType}`;
  return `a=candidate:${foundation} 1 ${protocol} ${priority} ${address} ${port} typ ${type}${tcp}`;
}
