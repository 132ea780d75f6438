// A WHIP session: a publisher's offer turned into producers on its stream's hub.

import { ortc } from 'mediasoup';
import type { Producer, Router, RtpCapabilities, RtpParameters, WebRtcTransport } from 'mediasoup/types';
import { Problem } from '#routing/problem.ts';
import { TrackLayers } from './layers/track-layers.ts';
import { type AnsweredMedia, writeAnswer } from './sdp/answer.ts';
import type { Offer, OfferedCodec, OfferedMedia } from './sdp/offer.ts';

/**
 * Milliseconds between two key-frame requests to a publisher. libwebrtc ignores a request that comes within 300 ms of
 * its last key frame, and mediasoup asks again only after a second: a viewer who joins right after another would wait
 * that long. Held back until the publisher listens again, the request costs it a third of a second at most.
 */
export const KEY_FRAME_REQUEST_DELAY = 350;

/**
 * Of each simulcast layer: up to three temporal layers, as libwebrtc makes of VP8 without a word in its offer. mediasoup
 * drops those that it has not been told of, three pictures of four.
 */
const SIMULCAST_MODE = 'L1T3';

export interface Published {
  producers: Producer[];
  answer: string;
}

/**
 * Makes a publisher's producers and the answer to its offer. Its payload types and header-extension ids are its own.
 * @throws Problem 422 when a section cannot be received; then the transport is the caller's to close.
 */
export async function publish(offer: Offer, transport: WebRtcTransport, hub: Router): Promise<Published> {
  const planned = offer.media.map((offered) => planReceiving(offered, hub.rtpCapabilities));
  await transport.connect({ dtlsParameters: offer.dtls });
  const producers = await Promise.all(
    planned.map(({ offered, rtpParameters }) =>
      transport.produce({
        kind: offered.kind,
        rtpParameters,
        keyFrameRequestDelay: KEY_FRAME_REQUEST_DELAY,
        appData: { layers: new TrackLayers(orderLayers(offered.sendRids)) },
      }),
    ),
  ).catch((error: unknown) => {
    // mediasoup checks what we do not: numbers out of range, an SSRC given twice.
    if (transport.closed) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new Problem(422, 'unusable-sdp', `the offer cannot be received: ${why}`);
  });
  const answer = writeAnswer(
    offer,
    transport,
    planned.map(({ answered }) => answered),
  );
  return { producers, answer };
}

interface Planned {
  offered: OfferedMedia;
  rtpParameters: RtpParameters;
  answered: AnsweredMedia;
}

function planReceiving(offered: OfferedMedia, capabilities: RtpCapabilities): Planned {
  const { kind } = offered;
  if (offered.direction !== 'sendonly' && offered.direction !== 'sendrecv') {
    throw new Problem(
      422,
      'unusable-sdp',
      `the offer's ${kind} is ${offered.direction}; a publisher's is sendonly`,
    );
  }
  const codec = chosen(offered.codecs.filter((candidate) => receivable(candidate, capabilities)));
  if (codec === undefined) {
    const names = offered.codecs.map(({ mimeType }) => mimeType).join(', ');
    throw new Problem(
      422,
      'no-common-codec',
      `the offer's ${kind} has ${names}; Meridian takes audio/opus and video/VP8, VP9, H264, AV1`,
    );
  }
  const supported = capabilities.codecs?.find(({ mimeType }) => sameName(mimeType, codec.mimeType));
  const extensions = offered.extensions.flatMap(({ id, uri }) => {
    const known = capabilities.headerExtensions?.find(
      (extension) => extension.kind === kind && extension.uri === uri,
    );
    return known ? [{ id, uri: known.uri }] : [];
  });
  const congestionControl = extensions.some(({ uri }) => uri.includes('transport-wide-cc'));
  const rtcpFeedback = codec.rtcpFeedback.filter(
    ({ type, parameter = '' }) =>
      // REMB is the older way; with both, a libwebrtc client would follow neither well.
      !(type === 'goog-remb' && congestionControl) &&
      supported?.rtcpFeedback?.some((known) => known.type === type && (known.parameter ?? '') === parameter),
  );
  const rids = orderLayers(offered.sendRids);
  const encodings =
    rids.length > 0
      ? rids.map((rid) => ({ rid, scalabilityMode: SIMULCAST_MODE }))
      : offered.ssrcs
          .slice(0, 1)
          .map(({ ssrc, rtx }) => (rtx === undefined ? { ssrc } : { ssrc, rtx: { ssrc: rtx } }));
  return {
    offered,
    rtpParameters: {
      mid: offered.mid,
      codecs: receivedCodecs({ ...codec, rtcpFeedback }),
      headerExtensions: extensions,
      encodings: encodings.length > 0 ? encodings : [{}],
      rtcp: { reducedSize: true, ...(offered.cname === undefined ? {} : { cname: offered.cname }) },
    },
    answered: {
      offered,
      direction: 'recvonly',
      codec: { ...codec, rtcpFeedback },
      extensions,
      receiveRids: offered.sendRids,
      msid: undefined,
    },
  };
}

function receivedCodecs(codec: OfferedCodec): RtpParameters['codecs'] {
  const { mimeType, payloadType, clockRate, channels, parameters, rtcpFeedback, rtxPayloadType } = codec;
  const media = {
    mimeType,
    payloadType,
    clockRate,
    ...(channels === undefined ? {} : { channels }),
    parameters,
    rtcpFeedback,
  };
  if (rtxPayloadType === undefined) return [media];
  const rtx = {
    mimeType: 'video/rtx',
    payloadType: rtxPayloadType,
    clockRate,
    parameters: { apt: payloadType },
  };
  return [media, rtx];
}

/** The profile_idc and profile_iop of H264's Baseline and Constrained Baseline (RFC 6184 section 8.1, table 5). */
const BASELINE = /^42[012389ab]0/i;
const CONSTRAINED_BASELINE = /^42[4-7c-f]0/i;

/**
 * The publisher's first choice; in place of H264's Baseline the Constrained one, where it has both: libwebrtc and aiortc name
 * Baseline first, and Firefox, libdatachannel and pion play the other alone.
 */
function chosen(receivable: readonly OfferedCodec[]): OfferedCodec | undefined {
  const [first] = receivable;
  if (first === undefined || !hasProfile(first, BASELINE)) return first;
  const mode = first.parameters['packetization-mode'];
  const wider = receivable.find(
    (codec) => hasProfile(codec, CONSTRAINED_BASELINE) && codec.parameters['packetization-mode'] === mode,
  );
  return wider ?? first;
}

const hasProfile = ({ mimeType, parameters }: OfferedCodec, profile: RegExp): boolean =>
  sameName(mimeType, 'video/H264') && profile.test(String(parameters['profile-level-id'] ?? ''));

/** Whether the hub can receive the codec: mediasoup's own matching decides. */
function receivable(codec: OfferedCodec, capabilities: RtpCapabilities): boolean {
  try {
    const parameters: RtpParameters = { codecs: receivedCodecs(codec), encodings: [] };
    ortc.validateAndNormalizeRtpParameters(parameters);
    ortc.getProducerRtpParametersMapping(parameters, capabilities);
    return true;
  } catch {
    return false;
  }
}

const sameName = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

/** Names that say that the first layer is the largest, as clients in use give them. */
const DESCENDING = /^(h|hi|high|hd|f|full|2)$/i;

/** mediasoup wants a simulcast's layers from the smallest to the largest; rids are named by habit only. */
export const orderLayers = (rids: readonly string[]): string[] =>
  DESCENDING.test(rids[0] ?? '') ? [...rids].reverse() : [...rids];
