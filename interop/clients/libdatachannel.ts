// libdatachannel, which OBS Studio publishes with: the npm package node-datachannel, and GStreamer for the coding.

import datachannel, { type PeerConnection, type Track } from 'node-datachannel';
import type { Codec } from '../messages.ts';
import { codecOf } from '../messages.ts';
import { run } from './adapter.ts';
import { type HttpSession, post } from './http.ts';
import { CODECS, coder, Decoder, encode, H264_BASELINE_FMTP, H264_FMTP, LACKS, PAYLOAD_TYPE } from './rtp.ts';

/** ms for all candidates, and for the connection. */
const CONNECT = 15_000;

const VIDEO_ALONE =
  'it views video alone: with more than one section it finds a track by the answer’s a=ssrc, which Meridian’s answers do not have';

await run({
  about: async () => ({
    version: `libdatachannel ${datachannel.getLibraryVersion()} (node-datachannel), coded by GStreamer ${await coder()}`,
    publishes: [...CODECS],
    views: [...CODECS],
    lacks: LACKS,
    limits: [VIDEO_ALONE],
  }),
  publish: async (url, token, form) => {
    const peer = new datachannel.PeerConnection('publisher', { iceServers: [] });
    // As OBS: audio first, an SSRC each.
    const audio = new datachannel.Audio('0', 'SendOnly');
    audio.addOpusCodec(PAYLOAD_TYPE.audio);
    audio.addSSRC(1, 'interop', 'interop', 'audio');
    const video = videoOf(codecOf(form), 'SendOnly');
    video.addSSRC(2, 'interop', 'interop', 'video');
    // Kept: a track that nobody holds closes.
    const tracks = { audio: peer.addTrack(audio), video: peer.addTrack(video) };
    const session = await connect(peer, url, token);
    await connected(peer);
    let packets = 0;
    const encoder = await encode(codecOf(form), (kind, packet) => {
      packet.writeUInt32BE(kind === 'audio' ? 1 : 2, 8);
      if (send(tracks[kind], packet) && kind === 'video') packets += 1;
    });
    return {
      sent: () => ({ packets }),
      stop: async () => {
        encoder.stop();
        peer.close();
        await session.end();
      },
    };
  },
  view: async (url, codec) => {
    const decoder = await Decoder.start(codec);
    const peer = new datachannel.PeerConnection('viewer', { iceServers: [] });
    const video = peer.addTrack(videoOf(codec, 'RecvOnly'));
    video.setMediaHandler(new datachannel.RtcpReceivingSession());
    video.onMessage((packet) => decoder.push(packet));
    const session = await connect(peer, url, undefined, () => decoder.begin());
    return {
      seen: () => decoder.seen(),
      stop: async () => {
        video.close();
        decoder.stop();
        peer.close();
        await session.end();
      },
    };
  },
});

function videoOf(codec: Codec, direction: 'SendOnly' | 'RecvOnly') {
  const video = new datachannel.Video('1', direction);
  if (codec === 'VP8') video.addVP8Codec(PAYLOAD_TYPE.video);
  else if (codec === 'VP9') video.addVP9Codec(PAYLOAD_TYPE.video);
  else video.addH264Codec(PAYLOAD_TYPE.video, H264_FMTP);
  if (codec === 'H264' && direction === 'RecvOnly')
    video.addH264Codec(PAYLOAD_TYPE.baseline, H264_BASELINE_FMTP);
  return video;
}

/** False where the track is not open (yet): media is not kept for later. */
function send(track: Track, packet: Buffer): boolean {
  return track.isOpen() && track.sendMessageBinary(packet);
}

async function connect(
  peer: PeerConnection,
  url: string,
  token: string | undefined,
  before = () => {},
): Promise<HttpSession> {
  const gathered = Promise.withResolvers<void>();
  peer.onGatheringStateChange((state) => state === 'complete' && gathered.resolve());
  const late = setTimeout(() => gathered.reject(new Error('candidates are still being gathered')), CONNECT);
  peer.setLocalDescription('offer');
  await gathered.promise.finally(() => clearTimeout(late));
  before();
  const session = await post(url, peer.localDescription()?.sdp ?? '', token);
  peer.setRemoteDescription(session.answer, 'answer');
  return session;
}

async function connected(peer: PeerConnection): Promise<void> {
  const connection = Promise.withResolvers<void>();
  const late = setTimeout(() => connection.reject(new Error(`not connected: ${peer.state()}`)), CONNECT);
  const look = () => {
    if (peer.state() === 'connected') connection.resolve();
    if (peer.state() === 'failed') connection.reject(new Error('the connection failed'));
  };
  peer.onStateChange(look);
  look();
  await connection.promise.finally(() => clearTimeout(late));
}
