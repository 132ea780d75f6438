// The codecs that a stream may have, and the payload types that a hub router gives them.

import type { RouterRtpCodecCapability, RtpCodecParameters } from 'mediasoup/types';

/** Baseline, constrained baseline, main, high. */
const h264 = (payloadType: number, profile: '42001f' | '42e01f' | '4d001f' | '64001f', mode: 0 | 1) =>
  video('video/H264', payloadType, {
    'profile-level-id': profile,
    'packetization-mode': mode,
    'level-asymmetry-allowed': 1,
  });

const video = (
  mimeType: string,
  preferredPayloadType: number,
  parameters = {},
): RouterRtpCodecCapability => ({
  kind: 'video',
  mimeType,
  clockRate: 90_000,
  preferredPayloadType,
  parameters,
});

/**
 * Every codec of every hub. The payload types are the ones that Chromium and other libwebrtc clients offer, so that
 * most viewers can be served by the hub itself; mediasoup gives a router's consumers the router's own payload types
 * whatever the viewer offered (mediasoup issue 1126), and a viewer with other numbers needs an outlet.
 *
 * The order matters: mediasoup gives each video codec in turn the first free number from 100 on for its
 * retransmissions, so those codecs come first whose own number is among them.
 */
export const HUB_CODECS: RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2, preferredPayloadType: 111 },
  video('video/VP9', 100, { 'profile-id': 2 }),
  h264(103, '42001f', 1),
  h264(107, '42001f', 0),
  h264(109, '42e01f', 1),
  h264(115, '42e01f', 0),
  h264(117, '4d001f', 1),
  h264(119, '4d001f', 0),
  h264(123, '64001f', 1),
  video('video/VP8', 96),
  video('video/VP9', 98, { 'profile-id': 0 }),
  video('video/AV1', 45),
];

/** The payload type and the codec of one kind of media, as an outlet's viewers negotiated it. */
export interface LayoutCodec {
  kind: 'audio' | 'video';
  payloadType: number;
  codec: Pick<RtpCodecParameters, 'mimeType' | 'clockRate' | 'channels' | 'parameters'>;
}

/** The codecs of one kind of viewer, audio before video. Viewers of one layout share an outlet. */
export type Layout = readonly LayoutCodec[];

/** Equal for layouts that one router can serve. */
export const layoutKey = (layout: Layout): string =>
  layout
    .map(
      ({ payloadType, codec }) =>
        `${codec.mimeType.toLowerCase()}=${payloadType}${variant(codec.parameters)}`,
    )
    .sort()
    .join(' ');

/** The parameters by which mediasoup tells two codecs of one name apart. */
function variant(parameters: Record<string, unknown> = {}): string {
  const telling = ['profile-id', 'packetization-mode', 'profile-level-id'];
  return telling
    .map((name) => (parameters[name] === undefined ? '' : `;${name}=${parameters[name]}`))
    .join('');
}

/**
 * The router codecs that a layout needs. Audio first: mediasoup numbers a video codec's retransmissions with what is
 * free by then, and that must not be the audio's number.
 */
export const layoutCodecs = (layout: Layout): RouterRtpCodecCapability[] =>
  layout
    .toSorted((a, b) => a.kind.localeCompare(b.kind))
    .map(({ kind, payloadType, codec }) => ({
      kind,
      mimeType: codec.mimeType,
      clockRate: codec.clockRate,
      ...(codec.channels === undefined ? {} : { channels: codec.channels }),
      ...(codec.parameters === undefined ? {} : { parameters: codec.parameters }),
      preferredPayloadType: payloadType,
    }));
