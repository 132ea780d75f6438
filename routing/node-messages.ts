// What functions and nodes say to a node's control server, and what it answers: version 1.

import * as z from 'zod';
import { originClaim, originPriority, streamClaims, takeover, viewing } from './claims.ts';
import { incarnation, nodeId, regionId, streamName } from './names.ts';
import { nodeGroup, nodeLoad, nodeState } from './node-record.ts';

/** Sender and receiver run one version, except during a roll-out: then the older side refuses with 400 and says so. */
const v = z.literal(1);

/** Longest SDP that is looked at, in bytes: Chromium's largest offers are about 12 kB. */
export const MAX_SDP_BYTES = 65_536;
const sdp = z.string().min(1).max(MAX_SDP_BYTES);
/** Says back what the offer said, names of sections twice, and has some lines of its own. */
const MAX_ANSWER_BYTES = 3 * MAX_SDP_BYTES;

/** Whose request it is, for rate limits: an address, or an IPv6 /64. A function of an earlier release does not say. */
const from = z.string().max(64).optional();

/** `POST /v1/whip` */
export const whipRequest = z.object({
  v,
  stream: streamName,
  offer: sdp,
  tokenId: z.string(),
  viewing,
  priority: originPriority,
  /** A function of an earlier release does not say. */
  takeover: takeover.default('same-token'),
  from,
});
export type WhipRequest = z.infer<typeof whipRequest>;

/** Pixels that a picture can be high or wide; 4320 lines are 8K UHD's (ITU-R BT.2020). */
const MAX_HEIGHT = 4_320;
const MAX_WIDTH = 7_680;
/** Number of a layer: mediasoup counts up to 99 of each sort (its scalability modes). */
const layerNumber = z.number().int().min(0).max(98);
export const maxHeight = z.number().int().min(1).max(MAX_HEIGHT);

/**
 * Which layer of a video a viewer wants: one of them, at most one of them, or whatever its link carries (draft-ietf-wish-whep's
 * layer extension, in Millicast's names).
 */
export const layerRequest = z
  .strictObject({
    /** The `mid` of the section; the video's without it. */
    mediaId: z.string().min(1).max(256).exactOptional(),
    /** The layer's rid, by either name. */
    encodingId: z.string().min(1).max(256).exactOptional(),
    rid: z.string().min(1).max(256).exactOptional(),
    spatialLayerId: layerNumber.exactOptional(),
    temporalLayerId: layerNumber.exactOptional(),
    maxSpatialLayerId: layerNumber.exactOptional(),
    maxTemporalLayerId: layerNumber.exactOptional(),
    maxWidth: z.number().int().min(1).max(MAX_WIDTH).exactOptional(),
    maxHeight: maxHeight.exactOptional(),
  })
  .refine(
    ({ encodingId = '', rid = encodingId }) => encodingId === '' || rid === encodingId,
    'encodingId and rid are two names of one thing, and differ',
  );
export type LayerRequest = z.infer<typeof layerRequest>;

/** `POST /v1/sessions/{id}/layer` */
export const layerMessage = z.object({ v, layer: layerRequest });

/** `POST /v1/whep` */
export const whepRequest = z.object({
  v,
  stream: streamName,
  offer: sdp,
  /** What the function read of the stream map, so that the node need not read it again. */
  claims: streamClaims,
  /** The player asked for a counter-offer: the answer then holds our offer, and the player's answer follows. */
  counterOffer: z.boolean(),
  from,
  /** Its layer from the first picture on. */
  layer: layerRequest.exactOptional(),
});
export type WhepRequest = z.infer<typeof whepRequest>;

/** The answer to both. */
export const sessionAnswer = z.object({
  v,
  sessionId: z.uuid(),
  /** Our answer, or our counter-offer where one was asked for. */
  answer: z.string().min(1).max(MAX_ANSWER_BYTES),
  /** The ICE session's entity tag, quoted (RFC 9725 section 4.3.1). */
  etag: z.string(),
});
export type SessionAnswer = z.infer<typeof sessionAnswer>;

/** `POST /v1/sessions/{id}/answer`: the player's answer to a counter-offer. */
export const counterAnswer = z.object({ v, answer: sdp });

/** `PATCH /v1/sessions/{id}` */
export const patchRequest = z.object({ v, fragment: sdp, ifMatch: z.string() });

/** Without a fragment and etag: the candidates were taken (204). With: the answer to an ICE restart (200). */
export const patchAnswer = z.object({ v, fragment: z.string().optional(), etag: z.string().optional() });

/** Bytes of key and salt of each suite (RFC 7714 section 12, RFC 4568 section 6.2). */
const SRTP_KEY_BYTES = {
  AEAD_AES_256_GCM: 44,
  AEAD_AES_128_GCM: 28,
  AES_CM_128_HMAC_SHA1_80: 30,
  AES_CM_128_HMAC_SHA1_32: 30,
} as const;

export const srtpParameters = z
  .object({
    cryptoSuite: z.enum([
      'AEAD_AES_256_GCM',
      'AEAD_AES_128_GCM',
      'AES_CM_128_HMAC_SHA1_80',
      'AES_CM_128_HMAC_SHA1_32',
    ]),
    keyBase64: z.base64(),
  })
  .refine(
    ({ cryptoSuite, keyBase64 }) => Buffer.from(keyBase64, 'base64').length === SRTP_KEY_BYTES[cryptoSuite],
    'not a key of its suite',
  );

const address = z.union([z.ipv4(), z.ipv6()]);
const port = z.number().int().min(1).max(65_535);

const codecParameters = z.record(z.string(), z.unknown());

/** The header extensions that mediasoup knows (its RtpHeaderExtensionUri). */
const extensionUri = z.enum([
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
  'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension',
  'urn:3gpp:video-orientation',
  'urn:ietf:params:rtp-hdrext:toffset',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time',
  'http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
  'urn:mediasoup:params:rtp-hdrext:packet-id',
]);

/** mediasoup's RtpParameters, as far as a pipe uses them. */
export const rtpParameters = z.object({
  codecs: z
    .array(
      z.object({
        mimeType: z.string(),
        payloadType: z.number().int().min(0).max(127),
        clockRate: z.number().int(),
        channels: z.number().int().exactOptional(),
        parameters: codecParameters.exactOptional(),
        rtcpFeedback: z
          .array(z.object({ type: z.string(), parameter: z.string().exactOptional() }))
          .exactOptional(),
      }),
    )
    .min(1),
  headerExtensions: z
    .array(
      z.object({
        uri: extensionUri,
        id: z.number().int().min(1).max(255),
        encrypt: z.boolean().exactOptional(),
        parameters: codecParameters.exactOptional(),
      }),
    )
    .exactOptional(),
  encodings: z
    .array(
      z.object({
        ssrc: z.number().int().exactOptional(),
        rid: z.string().exactOptional(),
        codecPayloadType: z.number().int().exactOptional(),
        rtx: z.object({ ssrc: z.number().int() }).exactOptional(),
        dtx: z.boolean().exactOptional(),
        scalabilityMode: z.string().exactOptional(),
        maxBitrate: z.number().exactOptional(),
      }),
    )
    .min(1)
    .exactOptional(),
  rtcp: z
    .object({ cname: z.string().exactOptional(), reducedSize: z.boolean().exactOptional() })
    .exactOptional(),
});

/** `POST /v1/legs`: a child asks for a stream; it has its end of the pipe ready. */
export const legRequest = z.object({
  v,
  /** The same request twice gives the same leg. */
  requestId: z.uuid(),
  stream: streamName,
  region: regionId,
  nodeId,
  incarnation,
  /** Crossing: the epoch of the child's claim. Inside a region: the epoch of the parent's claim that it acts on. */
  epoch: z.number().int().min(1),
  ip: address,
  port,
  srtpParameters,
  /** The child's own pulse, up the leg. */
  pulse: rtpParameters,
});
export type LegRequest = z.infer<typeof legRequest>;

/** One track of a leg, as the child must produce it. */
export const legTrack = z.object({
  kind: z.enum(['audio', 'video']),
  rtpParameters,
  /** The names of its simulcast layers, lowest first; a pipe's own parameters have none. A parent of an earlier release does not say. */
  rids: z.array(z.string()).default([]),
});
export type LegTrack = z.infer<typeof legTrack>;

/** The leg stands. */
export const legAccepted = z.object({
  v,
  result: z.literal('accepted'),
  parent: z.object({ region: regionId, nodeId, incarnation }),
  /** The active origin that the stream comes from. */
  origin: z.object({ region: regionId, nodeId, epoch: z.number().int() }),
  /** The nodes between the origin and the child, origin first: a parent refuses a child that stands in its own. */
  path: z.array(nodeId).min(1),
  ip: z.string(),
  port,
  srtpParameters,
  tracks: z.array(legTrack).max(2),
  /** The parent's source, numbered, as its pulse says it: of another one the leg has the wrong tracks. */
  generation: z.number().int().min(0),
  pulse: rtpParameters,
});
export type LegAccepted = z.infer<typeof legAccepted>;

/** The parent has as many children as it feeds: these nodes of its region carry the stream and may have room. */
export const legElsewhere = z.object({ v, result: z.literal('elsewhere'), nodeIds: z.array(nodeId).min(1) });

/** The child acts on a claim that is not the newest, or would close a loop: it must read the stream map again. */
export const legStale = z.object({
  v,
  result: z.literal('stale'),
  reason: z.string(),
  /** The active origin, where the stream is not published in the region that was asked: the child's replica may be behind. */
  origin: originClaim.exactOptional(),
});

export const legAnswer = z.discriminatedUnion('result', [legAccepted, legElsewhere, legStale]);
export type LegAnswer = z.infer<typeof legAnswer>;

/** `POST /v1/notices`: an origin's claim says something new, told sooner than a node's own checks would find it. */
export const notice = z.object({
  v,
  stream: streamName,
  /** As it stands now; a region's replica of the stream map may show it later. */
  claim: originClaim,
});
export type Notice = z.infer<typeof notice>;

/** `POST /v1/doubts`: an origin of this region does not answer; the node looks, and releases a dead one's claim for a standby. */
export const doubt = z.object({ v, claim: originClaim });

/** The answer to a doubt. */
export const doubtAnswer = z.object({ v, isReplaced: z.boolean() });

/** `POST /v1/priorities`: the origin with this claim goes on with another priority. */
export const priorityChange = z.object({ v, claim: originClaim, priority: originPriority });

/** `POST /cascade/{stream}` between regions: a leg wanted, or something to tell. */
export const cascadeRequest = z.discriminatedUnion('ask', [
  z.object({ ask: z.literal('leg'), leg: legRequest }),
  z.object({ ask: z.literal('notice'), notice }),
]);
export type CascadeRequest = z.infer<typeof cascadeRequest>;

const role = z.enum(['origin', 'secondary-origin', 'edge']);

/** A stream as one node has it. */
export const streamReport = z.object({
  stream: streamName,
  nodeId,
  region: regionId,
  role,
  parent: z.object({ region: regionId, nodeId }).nullable(),
  hops: z.number().int().min(0),
  viewers: z.number().int(),
  children: z.array(z.object({ region: regionId, nodeId })),
  leg: z.object({ bytesReceived: z.number(), bitrate: z.number() }).nullable(),
  tracks: z.array(
    z.object({
      kind: z.enum(['audio', 'video']),
      codec: z.string(),
      /** One per simulcast layer, lowest first. */
      layers: z.array(z.object({ rid: z.string().nullable(), bitrate: z.number(), packets: z.number() })),
    }),
  ),
});
export type StreamReport = z.infer<typeof streamReport>;

/** `GET /v1/streams` and `GET /v1/streams/{stream}` */
export const streamReports = z.object({ v, streams: z.array(streamReport) });

/** `GET /v1/status`, also the probe. */
export const nodeStatus = z.object({
  v,
  nodeId,
  region: regionId,
  incarnation,
  group: nodeGroup,
  state: nodeState,
  load: nodeLoad,
  /** What is open now; after everything closed all are what they were before. */
  open: z.object({ transports: z.number().int(), routers: z.number().int(), streams: z.number().int() }),
});
export type NodeStatus = z.infer<typeof nodeStatus>;

/** For requests whose answer says nothing. */
export const nothing = z.object({ v });
