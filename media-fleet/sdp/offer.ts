// A WHIP or WHEP client's SDP offer, checked and put into the terms that the rest of the node speaks.

import type { DtlsParameters, IceParameters, RtcpFeedback } from 'mediasoup/types';
import sdpTransform, { type MediaDescription } from 'sdp-transform';
import * as z from 'zod';
import { Problem } from '#routing/problem.ts';

export type MediaKind = 'audio' | 'video';

export interface OfferedCodec {
  payloadType: number;
  /** As `audio/opus`, `video/H264`; the name as it was offered. */
  mimeType: string;
  clockRate: number;
  channels: number | undefined;
  parameters: Record<string, string | number>;
  /** The offer's fmtp line, to be said back as it was. */
  fmtp: string | undefined;
  rtcpFeedback: RtcpFeedback[];
  /** The payload type of its retransmissions, where one was offered. */
  rtxPayloadType: number | undefined;
}

export interface OfferedMedia {
  kind: MediaKind;
  mid: string;
  protocol: string;
  direction: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
  /** In the offer's order of preference. */
  codecs: OfferedCodec[];
  extensions: { id: number; uri: string }[];
  /** The rids of simulcast layers that the client sends, in the offer's order. */
  sendRids: string[];
  /** Primary SSRCs with their retransmission's, where the offer names them. */
  ssrcs: { ssrc: number; rtx: number | undefined }[];
  cname: string | undefined;
  msid: string | undefined;
}

/** A section for data channels (RFC 8841). */
export interface OfferedData {
  mid: string;
  protocol: string;
  /** Its place among all sections. */
  index: number;
  /** The longest message that the client takes, in bytes; 0: any. */
  maxMessageSize: number;
}

export interface Offer {
  ice: IceParameters;
  dtls: DtlsParameters;
  /** What our answer says for the offer's `a=setup`. */
  answerSetup: 'active' | 'passive';
  media: OfferedMedia[];
  /** Where the client wants a data channel. */
  data: OfferedData | undefined;
}

/** The section that carries the bundle's candidates: the first of all. */
export const taggedSection = ({ media: [first], data }: Pick<Offer, 'media' | 'data'>) =>
  data?.index === 0 ? { kind: 'application', mid: data.mid } : first;

/** RFC 3550 section 5.1: seven bits. */
const MAX_PAYLOAD_TYPE = 127;
/** RFC 8285 section 4.3: a two-byte header's ids. */
const MAX_EXTENSION_ID = 255;
const FIRST_PROPOSED_ID = 4_096;
/** RFC 3550 section 5.1: 32 bits. */
const MAX_SSRC = 0xffff_ffff;
/** The SCTP port of every WebRTC client, and the one that mediasoup speaks to. */
export const SCTP_PORT = 5_000;
/** RFC 8841 section 6.1: what a section that does not say takes, in bytes. */
const DEFAULT_MESSAGE_SIZE = 65_536;
/** Characters of a line: the longest of a client in use has 213 (test/unit/media-fleet/sdp/offers). */
const MAX_LINE = 4_096;
/** Simulcast layers of one track: more than any client in use sends. */
const MAX_LAYERS = 4;

const malformed = (detail: string) => new Problem(400, 'malformed-sdp', `the offer ${detail}`);
const unusable = (detail: string) => new Problem(422, 'unusable-sdp', `the offer ${detail}`);

/** RFC 8866 section 5: `<type>=<value>` lines, of which the first is `v=0`; a value has no NUL (section 9, `byte-string`). */
const LINES = /^v=0\r?\n(?:[a-z]=[^\0\r\n]*\r?\n)*[a-z]=[^\0\r\n]*(?:\r?\n)*$/;

const fingerprint = z.object({
  type: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['sha-1', 'sha-224', 'sha-256', 'sha-384', 'sha-512'])),
  hash: z.string().regex(/^([0-9A-Fa-f]{2}:){19,63}[0-9A-Fa-f]{2}$/),
});

/**
 * Reads an offer.
 * @param data whether it may have a section for data channels.
 * @throws Problem 400 when it is not SDP, 422 when it is SDP that WHIP and WHEP do not allow (RFC 9725 section 4.4).
 */
export function readOffer(text: string, { data: takesData = false } = {}): Offer {
  return readDescription(text, takesData, () => true);
}

/**
 * Reads an answer to an offer of ours. A section that it refuses, by port 0 (RFC 3264 section 6), counts as not there.
 * @throws Problem as {@link readOffer} does, and 422 when it refuses every section.
 */
export function readAnswer(text: string): Offer {
  return readDescription(text, true, ({ port }) => port !== 0);
}

function readDescription(
  text: string,
  takesData: boolean,
  isTaken: (section: MediaSection) => boolean,
): Offer {
  if (!LINES.test(text)) throw malformed('is not SDP: every line is <letter>=<value> and the first is v=0');
  if (text.split('\n').some((line) => line.length > MAX_LINE))
    throw malformed(`has a line of more than ${MAX_LINE} characters`);
  const session = sdpTransform.parse(text);
  if (session.media.length === 0) throw malformed('has no media section (m= line)');

  const sections = session.media
    .map((section, index) => ({ section, index }))
    .filter(({ section }) => isTaken(section));
  if (sections.length === 0) throw unusable('refuses every section (port 0)');
  const isData = ({ section }: (typeof sections)[number]) => takesData && section.type === 'application';
  const media = sections.filter((one) => !isData(one)).map(({ section, index }) => readMedia(section, index));
  const [data, ...moreData] = sections.filter(isData).map(({ section, index }) => readData(section, index));
  if (moreData.length > 0) throw unusable('has more than one section for data channels');
  for (const kind of ['audio', 'video'] as const) {
    if (media.filter((section) => section.kind === kind).length > 1) {
      throw unusable(`has more than one ${kind} section; one audio and one video are supported`);
    }
  }
  requireBundle(session.groups, data === undefined ? media : [...media, data]);
  const mediaStreams = new Set(media.map(({ msid }) => msid).filter((msid) => msid !== undefined));
  if (mediaStreams.size > 1) {
    throw unusable('sends tracks of more than one MediaStream (RFC 9725 section 4.4.2 allows one)');
  }

  // With BUNDLE the first section's transport is everyone's (RFC 8843 section 7.1.3); it may stand at session level.
  const first = sections[0]?.section;
  const usernameFragment = first?.iceUfrag ?? session.iceUfrag;
  const password = first?.icePwd ?? session.icePwd;
  if (!usernameFragment || !password) throw malformed('has no a=ice-ufrag and a=ice-pwd');
  const given = fingerprint.safeParse(first?.fingerprint ?? session.fingerprint);
  if (!given.success) throw malformed('has no usable a=fingerprint');
  const setup = first?.setup ?? session.setup ?? 'actpass';
  if (setup !== 'actpass' && setup !== 'active' && setup !== 'passive') {
    throw unusable(`says a=setup:${setup}; actpass is what an offer says (RFC 8842 section 5.2)`);
  }

  return {
    ice: { usernameFragment: String(usernameFragment), password: String(password) },
    dtls: {
      // mediasoup is told the role that the remote side has.
      role: setup === 'passive' ? 'server' : 'client',
      fingerprints: [{ algorithm: given.data.type, value: given.data.hash.toUpperCase() }],
    },
    answerSetup: setup === 'passive' ? 'active' : 'passive',
    media,
    data,
  };
}

type MediaSection = { type: string } & MediaDescription;

function readData(section: MediaSection, index: number): OfferedData {
  if (section.port === 0 && section.bundleOnly === undefined)
    throw unusable('has a rejected application section (port 0)');
  const { protocol, sctpPort } = section;
  if (!/^(UDP|TCP)\/DTLS\/SCTP$/.test(protocol) || String(section.payloads) !== 'webrtc-datachannel') {
    throw unusable(
      `has data channels over ${protocol} ${section.payloads}; RFC 8841's are UDP/DTLS/SCTP webrtc-datachannel`,
    );
  }
  if (Number(sctpPort) !== SCTP_PORT) {
    throw unusable(`has data channels on a=sctp-port:${sctpPort ?? '(none)'}; ${SCTP_PORT} is supported`);
  }
  return {
    mid: String(section.mid ?? index),
    protocol,
    index,
    maxMessageSize: section.maxMessageSize ?? DEFAULT_MESSAGE_SIZE,
  };
}

function readMedia(section: MediaSection, index: number): OfferedMedia {
  const kind = section.type;
  if (kind !== 'audio' && kind !== 'video') {
    throw unusable(`has a section of ${kind}; one audio and one video are supported`);
  }
  const bundleOnly = section.bundleOnly !== undefined;
  if (section.port === 0 && !bundleOnly) throw unusable(`has a rejected ${kind} section (port 0)`);
  if (
    !/^(UDP\/TLS\/RTP\/SAVPF|TCP\/TLS\/RTP\/SAVPF|RTP\/SAVPF|UDP\/TLS\/RTP\/SAVP)$/.test(section.protocol)
  ) {
    throw unusable(`has ${kind} over ${section.protocol}; WebRTC media is UDP/TLS/RTP/SAVPF`);
  }
  if (!section.rtcpMux && !bundleOnly) throw unusable(`has ${kind} without a=rtcp-mux`);
  const codecs = readCodecs(section, kind);
  if (codecs.length === 0) throw malformed(`has ${kind} without a codec (a=rtpmap)`);
  const sendRids = readSendRids(section);
  if (new Set(sendRids).size < sendRids.length) throw malformed(`names a simulcast layer of ${kind} twice`);
  if (sendRids.length > MAX_LAYERS)
    throw unusable(`sends ${sendRids.length} layers; at most ${MAX_LAYERS} are supported`);
  return {
    kind,
    mid: String(section.mid ?? index),
    protocol: section.protocol,
    direction: section.direction ?? 'sendrecv',
    codecs,
    extensions: readExtensions(section),
    sendRids,
    ssrcs: readSsrcs(section),
    cname: textOf(section.ssrcs?.find(({ attribute }) => attribute === 'cname')?.value),
    msid: readMsid(section),
  };
}

function readExtensions(section: MediaSection): OfferedMedia['extensions'] {
  const extensions = (section.ext ?? [])
    .map(({ value, uri }) => ({ id: value, uri }))
    // RFC 8285 section 7: these only ask the answerer for a number of its own.
    .filter(({ id }) => id < FIRST_PROPOSED_ID);
  const wrong = extensions.find(({ id }) => !(id >= 1 && id <= MAX_EXTENSION_ID));
  if (wrong) throw malformed(`numbers a header extension ${wrong.id}; 1 to ${MAX_EXTENSION_ID} can be sent`);
  return extensions;
}

function readCodecs(section: MediaSection, kind: MediaKind): OfferedCodec[] {
  const order = String(section.payloads ?? '')
    .split(' ')
    .map(Number);
  const preference = new Map(order.map((payload, index) => [payload, index]));
  const given = section.rtp.filter(({ payload }) => preference.has(payload));
  if (new Set(given.map(({ payload }) => payload)).size < given.length) {
    throw malformed(`gives two codecs of ${kind} the same payload type`);
  }
  if (given.some(({ payload }) => payload > MAX_PAYLOAD_TYPE)) {
    throw malformed(`has a payload type above ${MAX_PAYLOAD_TYPE}`);
  }
  const fmtpOf = new Map(section.fmtp.map(({ payload, config }) => [payload, textOf(config)]));
  const isRtx = (codec: string) => String(codec).toLowerCase() === 'rtx';
  /** By the payload type whose retransmissions it carries. */
  const rtxOf = new Map(
    given
      .filter(({ codec }) => isRtx(codec))
      .map(({ payload }) => [readParameters(fmtpOf.get(payload)).apt, payload]),
  );
  return given
    .filter(({ codec }) => !isRtx(codec))
    .sort((a, b) => (preference.get(a.payload) ?? 0) - (preference.get(b.payload) ?? 0))
    .map(({ payload, codec, rate, encoding }) => {
      const fmtp = fmtpOf.get(payload);
      return {
        payloadType: payload,
        mimeType: `${kind}/${codec}`,
        clockRate: rate ?? (kind === 'audio' ? 8_000 : 90_000),
        channels: kind === 'audio' ? Number(encoding ?? 1) : undefined,
        parameters: readParameters(fmtp),
        fmtp,
        rtcpFeedback: (section.rtcpFb ?? [])
          .filter((line) => String(line.payload) === '*' || Number(line.payload) === payload)
          .map(({ type, subtype }) => (subtype ? { type, parameter: subtype } : { type })),
        rtxPayloadType: rtxOf.get(payload),
      };
    });
}

/** `a=fmtp` parameters; numbers as numbers, except what only looks like one (a profile-level-id of digits). */
function readParameters(fmtp: string | undefined): Record<string, string | number> {
  if (fmtp === undefined) return {};
  return Object.fromEntries(
    fmtp
      .split(';')
      .map((pair) => pair.trim())
      .filter((pair) => pair.includes('='))
      .map((pair): [string, string | number] => {
        const at = pair.indexOf('=');
        const [name, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
        return [name, name !== 'profile-level-id' && /^\d{1,9}$/.test(value) ? Number(value) : value];
      }),
  );
}

function readSendRids(section: MediaSection): string[] {
  const simulcast = section.simulcast;
  const list =
    simulcast?.dir1 === 'send' ? simulcast.list1 : simulcast?.dir2 === 'send' ? simulcast.list2 : undefined;
  if (list === undefined) return [];
  const sent = new Set(ridLines(section).flatMap(({ id, direction }) => (direction === 'send' ? [id] : [])));
  return sdpTransform
    .parseSimulcastStreamList(String(list))
    .map((alternatives) => String(alternatives[0]?.scid ?? ''))
    .filter((rid) => sent.has(rid));
}

/** RFC 8851 section 10 allows `-` and `_` in a rid; sdp-transform leaves the lines that have them unread. */
const UNREAD_RID = /^rid:([\w-]+) (send|recv)\b/;

function ridLines(section: MediaSection): { id: string; direction: string }[] {
  const read = (section.rids ?? []).map(({ id, direction }) => ({ id: String(id), direction }));
  const unread = (section.invalid ?? []).flatMap(({ value }) => {
    const [, id, direction] = UNREAD_RID.exec(value) ?? [];
    return id !== undefined && direction !== undefined ? [{ id, direction }] : [];
  });
  return [...read, ...unread];
}

function readSsrcs(section: MediaSection): OfferedMedia['ssrcs'] {
  const pairs = (section.ssrcGroups ?? [])
    .filter(({ semantics }) => semantics === 'FID')
    .map(({ ssrcs }) => String(ssrcs).split(' ').map(Number));
  const rtxOf = new Map(pairs.map(([primary, rtx]) => [primary, rtx]));
  const retransmissions = new Set(rtxOf.values());
  const ids = [...new Set((section.ssrcs ?? []).map(({ id }) => Number(id)))];
  if ([...ids, ...pairs.flat()].some((ssrc) => !(ssrc >= 1 && ssrc <= MAX_SSRC)))
    throw malformed('has an SSRC that is not of 32 bits');
  return ids.filter((ssrc) => !retransmissions.has(ssrc)).map((ssrc) => ({ ssrc, rtx: rtxOf.get(ssrc) }));
}

function readMsid(section: MediaSection): string | undefined {
  const [first] = section.msid ?? [];
  return textOf(first?.id);
}

/** All sections in one BUNDLE group (RFC 9725 section 4.4.1: max-bundle). A lone section needs none. */
function requireBundle(
  groups: { type: string; mids: string | number }[] | undefined,
  media: readonly { mid: string }[],
): void {
  const mids = media.map(({ mid }) => mid);
  if (new Set(mids).size !== mids.length) throw malformed('gives two sections the same a=mid');
  const bundle = groups?.find(({ type }) => type === 'BUNDLE');
  const bundled = bundle === undefined ? [] : String(bundle.mids).split(' ');
  const missing = bundled.find((mid) => !mids.includes(mid));
  if (missing !== undefined)
    throw malformed(`bundles a section ${missing} that it has not got: it was cut short`);
  if (mids.length > 1 && !mids.every((mid) => bundled.includes(mid))) {
    throw unusable('does not bundle all its sections (a=group:BUNDLE)');
  }
}

/** What looks like a number sdp-transform makes one, whatever its types say. */
const textOf = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : String(value);
