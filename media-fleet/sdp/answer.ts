// The SDP answers of a node: one transport for all sections, ICE lite, every candidate in the answer.

import { randomBytes } from 'node:crypto';
import type { RtcpFeedback, WebRtcTransport } from 'mediasoup/types';
import { type Offer, type OfferedData, type OfferedMedia, SCTP_PORT } from './offer.ts';

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
): string => writeDescription(offer.answerSetup, transport, media, offer.data);

/** A section for data channels, and its place among all sections. */
export type DescribedData = Pick<OfferedData, 'mid' | 'protocol' | 'index'>;

/** Writes an answer, or an offer of our own. @param data where there is one; the transport then has SCTP. */
export function writeDescription(
  setup: 'active' | 'passive' | 'actpass',
  transport: WebRtcTransport,
  media: readonly AnsweredMedia[],
  data?: DescribedData,
): string {
  const fingerprint = transport.dtlsParameters.fingerprints.find(({ algorithm }) => algorithm === 'sha-256');
  if (fingerprint === undefined) throw new Error('the worker has no SHA-256 fingerprint');
  const sections = media.map((section) => ({
    mid: section.offered.mid,
    lines: mediaLines(setup, transport, section),
  }));
  if (data !== undefined) {
    sections.splice(data.index, 0, { mid: data.mid, lines: dataLines(setup, transport, data) });
  }
  const lines = [
    'v=0',
    // A random session id: 64 bits with the highest one zero (RFC 8829 section 5.2.1).
    `o=- ${randomBytes(8).readBigUInt64BE() >> 1n} 1 IN IP4 127.0.0.1`,
    's=-',
    't=0 0',
    `a=group:BUNDLE ${sections.map(({ mid }) => mid).join(' ')}`,
    'a=ice-lite',
    `a=fingerprint:sha-256 ${fingerprint.value}`,
    'a=msid-semantic: WMS *',
    ...sections.flatMap(({ lines: own }, index) =>
      // Candidates stand in the bundle's tagged section (RFC 9725 section 4.3.2); all of them, for we do not trickle.
      index > 0 ? own : [...own, ...transport.iceCandidates.map(candidateLine), 'a=end-of-candidates'],
    ),
  ];
  return `${lines.join('\r\n')}\r\n`;
}

/** What both kinds of sections say of the transport that they share. */
const transportLines = (setup: string, { iceParameters }: WebRtcTransport): string[] => [
  `a=ice-ufrag:${iceParameters.usernameFragment}`,
  `a=ice-pwd:${iceParameters.password}`,
  `a=setup:${setup}`,
];

/** RFC 8841 section 10. */
function dataLines(setup: string, transport: WebRtcTransport, { mid, protocol }: DescribedData): string[] {
  const { sctpParameters } = transport;
  if (sctpParameters === undefined) throw new Error('a section for data channels without SCTP');
  return [
    `m=application 9 ${protocol} webrtc-datachannel`,
    'c=IN IP4 0.0.0.0',
    `a=mid:${mid}`,
    ...transportLines(setup, transport),
    `a=sctp-port:${SCTP_PORT}`,
    `a=max-message-size:${sctpParameters.maxReceiveMessageSize}`,
  ];
}

function mediaLines(setup: string, transport: WebRtcTransport, section: AnsweredMedia): string[] {
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
    ...transportLines(setup, transport),
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
  ];
}

/** RFC 8839 section 5.1. */
export function candidateLine(candidate: WebRtcTransport['iceCandidates'][number]): string {
  const { foundation, protocol, priority, address, port, type, tcpType } = candidate;
  const tcp = tcpType === undefined ? '' : ` tcptype ${tcpType}`;
  return `a=candidate:${foundation} 1 ${protocol} ${priority} ${address} ${port} typ ${type}${tcp}`;
}
