// WHEP's counter-offer: an offer of ours to a player that asked for one, and what its answer says.

import type { Producer, RtpCapabilities, RtpCodecCapability, WebRtcTransport } from 'mediasoup/types';
import { Problem } from '#routing/problem.ts';
import { type AnsweredMedia, writeDescription } from './answer.ts';
import type { Offer } from './offer.ts';

/** Header extensions that a consumer sends; the others are for receiving. */
const SENT = new Set(['sendrecv', 'sendonly']);

/**
 * Offers every track with the hub's own numbers, retransmissions and extensions.
 * @param withData whether the player asked for a data channel; the transport then has SCTP.
 */
export function writeCounterOffer(
  transport: WebRtcTransport,
  tracks: readonly Producer[],
  hub: RtpCapabilities,
  msid: string,
  withData = false,
): string {
  const media = tracks.map((track, index): AnsweredMedia => {
    const [codec] = track.consumableRtpParameters.codecs;
    const known = hub.codecs?.find(({ preferredPayloadType }) => preferredPayloadType === codec?.payloadType);
    if (codec === undefined || known === undefined)
      throw new Error('a track whose codec the hub has not got');
    return {
      offered: { kind: track.kind, mid: midOf(index), protocol: 'UDP/TLS/RTP/SAVPF' },
      direction: 'sendonly',
      codec: {
        payloadType: codec.payloadType,
        mimeType: codec.mimeType,
        clockRate: codec.clockRate,
        channels: codec.channels,
        fmtp: fmtpOf(codec.parameters),
        rtcpFeedback: known.rtcpFeedback ?? [],
        rtxPayloadType: hub.codecs?.find((other) => isRtxOf(other, codec.payloadType))?.preferredPayloadType,
      },
      extensions: (hub.headerExtensions ?? [])
        .filter(({ kind, direction = 'sendrecv' }) => kind === track.kind && SENT.has(direction))
        .map(({ preferredId, uri }) => ({ id: preferredId, uri })),
      receiveRids: [],
      msid,
    };
  });
  const data = { mid: midOf(tracks.length), protocol: 'UDP/DTLS/SCTP', index: tracks.length };
  return writeDescription('actpass', transport, media, withData ? data : undefined);
}

/** The name of a section by its place. */
const midOf = (index: number): string => String(index);

/** The name of our offer's section of video, where the stream has any. */
export function offeredVideoMid(tracks: readonly Producer[]): string | undefined {
  const index = tracks.findIndex(({ kind }) => kind === 'video');
  return index < 0 ? undefined : midOf(index);
}

/**
 * What the player takes of our offer. A section in which it does not take the track's own codec is not taken.
 * @param tracks what there is to be seen now.
 * @throws Problem 422 when it takes none of it.
 */
export function answeredSections(answer: Offer, hub: RtpCapabilities, tracks: readonly Producer[]) {
  const sections = answer.media
    .filter(({ direction }) => direction === 'recvonly' || direction === 'sendrecv')
    .map(({ kind, mid, codecs, extensions }) => {
      const taken = (known: RtpCodecCapability) =>
        codecs.some(
          ({ payloadType, rtxPayloadType, mimeType }) =>
            (known.preferredPayloadType === payloadType &&
              known.mimeType.toLowerCase() === mimeType.toLowerCase()) ||
            (known.preferredPayloadType === rtxPayloadType && isRtxOf(known, payloadType)),
        );
      return {
        kind,
        mid,
        capabilities: {
          codecs: (hub.codecs ?? []).filter(taken),
          headerExtensions: (hub.headerExtensions ?? []).filter(
            (known) =>
              known.kind === kind &&
              extensions.some(({ id, uri }) => id === known.preferredId && uri === known.uri),
          ),
        },
      };
    })
    .filter(({ kind, capabilities: { codecs } }) => {
      const track = tracks.find((candidate) => candidate.kind === kind);
      const wanted = track?.consumableRtpParameters.codecs[0]?.payloadType;
      return track === undefined
        ? codecs.length > 0
        : codecs.some(({ preferredPayloadType }) => preferredPayloadType === wanted);
    });
  if (sections.length === 0)
    throw new Problem(422, 'no-common-codec', 'the answer takes nothing of what was offered');
  return sections;
}

const isRtxOf = ({ mimeType, parameters }: RtpCodecCapability, payloadType: number): boolean =>
  mimeType.toLowerCase().endsWith('/rtx') && parameters?.apt === payloadType;

function fmtpOf(parameters: Record<string, unknown> = {}): string | undefined {
  const pairs = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
  return pairs.length === 0 ? undefined : pairs.join(';');
}
