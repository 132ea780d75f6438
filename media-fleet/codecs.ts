// The codecs that a stream may have, and the payload types that a hub router gives them.

import type { RouterRtpCodecCapability, RtpCodecParameters } from 'mediasoup/types';

/**
 * Every codec of every hub. The payload types are the ones that Chromium and other libwebrtc clients offer, so that
 * most viewers can be served by the hub itself; mediasoup gives a router's consumers the router's own payload types
 * whatever the viewer offered (mediasoup issue 1126), and a viewer with other numbers needs an outlet.
 */
export const HUB_CODECS: RouterRtpCodecCapability[] = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48_000, channels: 2, preferredPayloadType: 111 },
  { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000, preferredPayloadType: 96 },
  { kind: 'video', mimeType: 'video/VP9', clockRate: 90_000, preferredPayloadType: 98, parameters: { 'profile-id': 0 } },
  { kind: 'video', mimeType: 'video/VP9', clockRate: 90_000, preferredPayloadType: 100, parameters: { 'profile-id': 2 } },
  ...[
    // Baseline, constrained baseline, main, high; non-interleaved mode, then single NAL unit mode.
    { profile: '42001f', mode: 1, payloadType: 103 },
    { profile: '42e01f', mode: 1, payloadType: 109 },
    { profile: '4d001f', mode: 1, payloadType: 117 },
    { profile: '64001f', mode: 1, payloadType: 123 },
    { profile: '42001f', mode: 0, payloadType: 107 },
    { profile: '42e01f', mode: 0, payloadType: 115 },
    { profile: '4d001f', mode: 0, payloadType: 119 },
  ].map(
    ({ profile, mode, payloadType }): RouterRtpCodecCapability => ({
      kind: 'video',
      mimeType: 'video/H264',
      clockRate: 90_000,
      preferredPayloadType: payloadType,
      parameters: { 'profile-level-id': profile, 'packetization-mode': mode, 'level-asymmetry-allowed': 1 },
    }),
  ),
  { kind: 'video', mimeType: 'video/AV1', clockRate: 90_000, preferredPayloadType: 45 },
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
    .map(({ payloadType, codec }) => `${codec.mimeType.toLowerCase()}=${payloadType}${variant(codec.parameters)}`)
    .sort()
    .join(' ');

/** The parameters by which mediasoup tells two codecs of one name apart. */
function variant(parameters: Record<string, unknown> = {}): string {
  const telling = ['profile-id', 'packetization-mode', 'profile-level-id'];
  return telling.map((name) => (parameters[name] === undefined ? '' : `;${name}=${parameters[name]}`)).join('');
}

/** The router codecs that a layout needs. */
export const layoutCodecs = (layout: Layout): RouterRtpCodecCapability[] =>
  layout.map(({ kind, payloadType, codec }) => ({
    kind,
    mimeType: codec.mimeType,
    clockRate: codec.clockRate,
    ...(codec.channels === undefined ? {} : { channels: codec.channels }),
    ...(codec.parameters === undefined ? {} : { parameters: codec.parameters }),
    preferredPayloadType: payloadType,
  }));
