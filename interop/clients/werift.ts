// werift, WebRTC in TypeScript alone, and GStreamer for the coding.

import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters } from 'werift';
import { type Codec, codecOf } from '../messages.ts';
import { run, versionOf } from './adapter.ts';
import { post } from './http.ts';
import { CODECS, coder, encode, H264_FMTP, LACKS, PAYLOAD_TYPE } from './rtp.ts';

/** ms for the connection. */
const CONNECT = 15_000;

/** RFC 8843, 9.2, lets it go by the payload type; an SSRC in the answer would bind a viewer to one source (docs/architecture.md). */
const NO_VIEWER =
  'no viewer: it finds a receiver by the answer’s a=ssrc or by a RID alone, and Meridian’s answers have neither';

const version = versionOf('werift');

await run({
  about: async () => ({
    version: `werift ${version}, coded by GStreamer ${await coder()}`,
    publishes: [...CODECS],
    views: [],
    lacks: LACKS,
    limits: [NO_VIEWER],
  }),
  publish: async (url, token, form) => {
    const peer = peerWith(codecOf(form));
    const tracks = {
      audio: new MediaStreamTrack({ kind: 'audio' }),
      video: new MediaStreamTrack({ kind: 'video' }),
    };
    for (const track of Object.values(tracks)) peer.addTransceiver(track, { direction: 'sendonly' });
    const session = await connect(peer, url, token);
    await peer.connectionStateChange.watch((state) => state === 'connected', CONNECT);
    let packets = 0;
    const encoder = await encode(codecOf(form), (kind, packet) => {
      tracks[kind].writeRtp(packet);
      if (kind === 'video') packets += 1;
    });
    return {
      sent: () => ({ packets }),
      stop: async () => {
        encoder.stop();
        await peer.close();
        await session.end();
      },
    };
  },
});

function peerWith(codec: Codec): RTCPeerConnection {
  const video = new RTCRtpCodecParameters({
    mimeType: `video/${codec}`,
    clockRate: 90_000,
    payloadType: PAYLOAD_TYPE.video,
    rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }],
    ...(codec === 'H264' ? { parameters: H264_FMTP } : {}),
  });
  const audio = new RTCRtpCodecParameters({
    mimeType: 'audio/opus',
    clockRate: 48_000,
    channels: 2,
    payloadType: PAYLOAD_TYPE.audio,
  });
  return new RTCPeerConnection({ iceServers: [], codecs: { video: [video], audio: [audio] } });
}

async function connect(peer: RTCPeerConnection, url: string, token: string) {
  // It resolves with every candidate in the description.
  await peer.setLocalDescription(await peer.createOffer());
  const session = await post(url, peer.localDescription?.sdp ?? '', token);
  await peer.setRemoteDescription({ type: 'answer', sdp: session.answer });
  return session;
}
