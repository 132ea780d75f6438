// A WHIP or WHEP client's SDP offer, checked and put into the terms that the rest of the node speaks.

import type { DtlsParameters, IceParameters, RtcpFeedback } from 'mediasoup/types';
import sdpTransform, { type MediaDescription } from 'sdp-transform';
import { z } from 'zod';
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

export interface Offer {
  ice: IceParameters;
  dtls: DtlsParameters;
  /** What our answer says for the offer's `a=setup`. */
  answerSetup: 'active' | 'passive';
  media: OfferedMedia[];
}

const malformed = (detail: string) => new Problem(400, 'malformed-sdp', `the offer ${detail}`);
const unusable = (detail: string) => new Problem(422, 'unusable-sdp', `the offer ${detail}`);

/** RFC 8866 section 5: `<type>=<value>` lines, of which the first is `v=0`. */
const LINES = /^v=0\r?\n(?:[a-z]=[^\r\n]*\r?\n)*[a-z]=[^\r\n]*(?:\r?\n)*$/;

const fingerprint = z.object({
  type: z
    .string()
    .toLowerCase()
    .pipe(z.enum(['sha-1', 'sha-224', 'sha-256', 'sha-384', 'sha-512'])),
  hash: z.string().regex(/^([0-9A-Fa-f]{2}:){19,63}[0-9A-Fa-f]{2}$/),
});

/**
 * Reads an offer.
 * @throws Problem 400 when it is not SDP, 422 when it is SDP that WHIP and WHEP do not allow (RFC 9725 section 4.4).
 */
export function readOffer(text: string): Offer {
  if (!LINES.test(text)) throw malformed('is not SDP: every line is <letter>=<value> and the first is v=0');
  const session = sdpTransform.parse(text);
  if (session.media.length === 0) throw malformed('has no media section (m= line)');

  const media = session.media.map((section, index) => readMedia(section, index));
  for (const kind of ['audio', 'video'] as const) {
    if (media.filter((section) => section.kind === kind).length > 1) {
      throw unusable(`has more than one ${kind} section; one audio and one video are supported`);
    }
  }
  requireBundle(session.groups, media);
  const mediaStreams = new Set(media.map(({ msid }) => msid).filter((msid) => msid !== undefined));
  if (mediaStreams.size > 1) {
    throw unusable('sends tracks of more than one MediaStream (RFC 9725 section 4.4.2 allows one)');
  }

  // With BUNDLE the first section's transport is everyone's (RFC 8843 section 7.1.3); it may stand at session level.
  const first = session.media[0];
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
  };
}

type MediaSection = { type: string } & MediaDescription;

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
  return {
    kind,
    mid: String(section.mid ?? index),
    protocol: section.protocol,
    direction: section.direction ?? 'sendrecv',
    codecs,
    extensions: (section.ext ?? []).map(({ value, uri }) => ({ id: value, uri })),
    sendRids: readSendRids(section),
    ssrcs: readSsrcs(section),
    cname: textOf(section.ssrcs?.find(({ attribute }) => attribute === 'cname')?.value),
    msid: readMsid(section),
  };
}

function readCodecs(section: MediaSection, kind: MediaKind): OfferedCodec[] {
  const order = String(section.payloads ?? '')
    .split(' ')
    .map(Number);
  const parametersOf = (payload: number) =>
    textOf(section.fmtp.find((line) => line.payload === payload)?.config);
  const isRtx = (codec: string) => String(codec).toLowerCase() === 'rtx';
  const rtxOf = (payload: number) =>
    section.rtp.find(
      ({ codec, payload: own }) => isRtx(codec) && readParameters(parametersOf(own)).apt === payload,
    );
  return section.rtp
    .filter(({ codec, payload }) => !isRtx(codec) && order.includes(payload))
    .sort((a, b) => order.indexOf(a.payload) - order.indexOf(b.payload))
    .map(({ payload, codec, rate, encoding }) => {
      const fmtp = parametersOf(payload);
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
        rtxPayloadType: rtxOf(payload)?.payload,
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
  const sent = new Set(
    (section.rids ?? []).filter(({ direction }) => direction === 'send').map(({ id }) => String(id)),
  );
  return sdpTransform
    .parseSimulcastStreamList(String(list))
    .map((alternatives) => String(alternatives[0]?.scid ?? ''))
    .filter((rid) => sent.has(rid));
}

function readSsrcs(section: MediaSection): OfferedMedia['ssrcs'] {
  const pairs = (section.ssrcGroups ?? [])
    .filter(({ semantics }) => semantics === 'FID')
    .map(({ ssrcs }) => String(ssrcs).split(' ').map(Number));
  const retransmissions = new Set(pairs.map(([, rtx]) => rtx));
  return [...new Set((section.ssrcs ?? []).map(({ id }) => Number(id)))]
    .filter((ssrc) => !retransmissions.has(ssrc))
    .map((ssrc) => ({ ssrc, rtx: pairs.find(([primary]) => primary === ssrc)?.[1] }));
}

function readMsid(section: MediaSection): string | undefined {
  const [first] = section.msid ?? [];
  return textOf(first?.id);
}

/** All sections in one BUNDLE group (RFC 9725 section 4.4.1: max-bundle). A lone section needs none. */
function requireBundle(
  groups: { type: string; mids: string | number }[] | undefined,
  media: OfferedMedia[],
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
