// OBS Studio's offer, as it was recorded: `replay URL TOKEN`. The answer is given to the library that OBS has, which cannot
// connect by it: the offer's ICE password and certificate were another machine's. What connects is libdatachannel.ts.

import { readFile } from 'node:fs/promises';
import datachannel from 'node-datachannel';
import type { Message } from '../messages.ts';
import { post } from './http.ts';
import { H264_FMTP } from './rtp.ts';

const RECORDED = new URL('../../test/unit/media-fleet/sdp/offers/obs-publisher.sdp', import.meta.url);

const [, url = '', token = ''] = process.argv.slice(2);
let said: Message = { is: 'taken' };
try {
  // Git may keep the fixture with LF.
  const offer = (await readFile(RECORDED, 'utf8')).replaceAll(/\r?\n/g, '\r\n');
  const session = await post(url, offer, token);
  try {
    take(session.answer);
  } finally {
    await session.end();
  }
} catch (error) {
  said = { is: 'failed', why: error instanceof Error ? error.message : String(error) };
}
process.stdout.write(`${JSON.stringify(said)}\n`);
process.exit();

/** @throws Error when libdatachannel refuses it as the answer to an offer with the same sections, or misses one. */
function take(answer: string): void {
  const peer = new datachannel.PeerConnection('obs', { iceServers: [], disableAutoNegotiation: true });
  const audio = new datachannel.Audio('0', 'SendOnly');
  audio.addOpusCodec(111);
  const video = new datachannel.Video('1', 'SendOnly');
  video.addH264Codec(96, H264_FMTP);
  const tracks = [peer.addTrack(audio), peer.addTrack(video)];
  peer.setLocalDescription('offer');
  peer.setRemoteDescription(answer, 'answer');
  const state = peer.signalingState();
  if (state !== 'stable') throw new Error(`libdatachannel’s signaling is ${state} after the answer`);
  // As the library itself reads it.
  const read = peer.remoteDescription()?.sdp ?? '';
  const taken = read
    .split(/^(?=m=)/m)
    .filter((part) => /^m=\w+ [1-9]/.test(part) && part.includes('a=recvonly'));
  if (taken.length !== tracks.length)
    throw new Error(`${taken.length} of ${tracks.length} sections are taken: ${read}`);
  peer.close();
}
