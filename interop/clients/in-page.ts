// What runs in a browser's page, whichever browser: each function is sent there as text, so it stands alone.

interface Session {
  connection: RTCPeerConnection;
  location: string;
  headers: Record<string, string>;
  /** From before the POST to the first picture that was shown, in ms. */
  firstFrameMs?: number;
}

declare global {
  interface Window {
    interop?: Session;
  }
}

export interface PagePublish {
  url: string;
  token: string;
  /** As `video/VP8`. */
  mimeType: string;
  /** Of the codec's fmtp, as `packetization-mode=1`; all that are wanted. */
  parameters: string[];
  /** Three layers instead of one. */
  simulcast: boolean;
}

/** Publishes the browser's fake camera and microphone. Resolves when media is connected. */
export async function publishInPage({ url, token, mimeType, parameters, simulcast }: PagePublish) {
  const media = await navigator.mediaDevices.getUserMedia({
    video: simulcast ? { width: 1280, height: 720 } : { width: 640, height: 360 },
    audio: true,
  });
  const connection = new RTCPeerConnection();
  const [video] = media.getVideoTracks();
  const [audio] = media.getAudioTracks();
  if (!video || !audio) throw new Error('no fake device');
  // Little enough for the browser's first estimate to reach the top layer within seconds.
  const layers = ['l', 'm', 'h'].map((rid, index) => ({
    rid,
    scaleResolutionDownBy: 2 ** (2 - index),
    maxBitrate: 80_000 * 2 ** index,
  }));
  const transceiver = connection.addTransceiver(video, {
    direction: 'sendonly',
    streams: [media],
    ...(simulcast ? { sendEncodings: layers } : {}),
  });
  connection.addTransceiver(audio, { direction: 'sendonly', streams: [media] });
  const known = RTCRtpSender.getCapabilities('video')?.codecs ?? [];
  const wanted = known.filter(({ mimeType: name, sdpFmtpLine = '' }) => {
    // A VP9 that says no profile has this one (RFC 9628, 6.1): Firefox.
    const has = (parameter: string) =>
      sdpFmtpLine.includes(parameter) ||
      (parameter === 'profile-id=0' && !sdpFmtpLine.includes('profile-id'));
    return name.toLowerCase() === mimeType.toLowerCase() && parameters.every(has);
  });
  if (wanted.length === 0) throw new Error(`this browser cannot send ${mimeType}`);
  transceiver.setCodecPreferences(wanted);
  await connection.setLocalDescription();
  await new Promise<void>((resolve) => {
    const look = () => connection.iceGatheringState === 'complete' && resolve();
    connection.addEventListener('icegatheringstatechange', look);
    look();
  });
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' },
    body: connection.localDescription?.sdp ?? '',
  });
  const answer = await response.text();
  if (response.status !== 201) throw new Error(`${response.status}: ${answer}`);
  const connected = new Promise<void>((resolve, reject) => {
    connection.addEventListener('connectionstatechange', () => {
      if (connection.connectionState === 'connected') resolve();
      if (connection.connectionState === 'failed') reject(new Error('the connection failed'));
    });
  });
  await connection.setRemoteDescription({ type: 'answer', sdp: answer });
  await connected;
  window.interop = {
    connection,
    location: response.headers.get('location') ?? '',
    headers: { authorization: `Bearer ${token}` },
  };
}

/** Plays; the first picture's time is noted in the page. Resolves when the answer is set. */
export async function viewInPage({ url }: { url: string }) {
  const media = new MediaStream();
  const element = document.createElement('video');
  Object.assign(element, { autoplay: true, muted: true, playsInline: true, srcObject: media });
  document.body.append(element);
  const connection = new RTCPeerConnection();
  connection.addEventListener('track', ({ track }) => media.addTrack(track));
  connection.addTransceiver('video', { direction: 'recvonly' });
  connection.addTransceiver('audio', { direction: 'recvonly' });
  await connection.setLocalDescription();
  await new Promise<void>((resolve) => {
    const look = () => connection.iceGatheringState === 'complete' && resolve();
    connection.addEventListener('icegatheringstatechange', look);
    look();
  });
  const started = performance.now();
  element.requestVideoFrameCallback((now) => {
    if (window.interop) window.interop.firstFrameMs = now - started;
  });
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp' },
    body: connection.localDescription?.sdp ?? '',
  });
  const answer = await response.text();
  if (response.status !== 201) throw new Error(`${response.status}: ${answer}`);
  window.interop = { connection, location: response.headers.get('location') ?? '', headers: {} };
  await connection.setRemoteDescription({ type: 'answer', sdp: answer });
}

/** How it goes, as JSON. */
export async function lookInPage() {
  if (!window.interop) throw new Error('no session');
  const { connection, firstFrameMs } = window.interop;
  const stats = [...(await connection.getStats()).values()];
  const inbound = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
  const outbound = stats.filter(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
  return JSON.stringify({
    packets: outbound.reduce((sum, { packetsSent }) => sum + packetsSent, 0),
    firstFrameMs,
    decoded: inbound?.framesDecoded ?? 0,
    received: inbound?.packetsReceived ?? 0,
    lost: inbound?.packetsLost ?? 0,
    width: inbound?.frameWidth,
    height: inbound?.frameHeight,
  });
}

/** What the browser has, as JSON: names as `video/VP8`, with an H264's fmtp behind a `;`. */
export async function codecsInPage() {
  const connection = new RTCPeerConnection();
  connection.addTransceiver('video');
  // Not getCapabilities: Firefox knows only what it may offer when it has offered it.
  await connection.setLocalDescription();
  const offer = connection.localDescription?.sdp ?? '';
  connection.close();
  return JSON.stringify(
    [...offer.matchAll(/^a=rtpmap:\d+ (VP8|VP9|H264|AV1)\/90000\r?$/gm)].map(([, name]) => name),
  );
}

/** Ends the session as a client should. */
export async function stopInPage() {
  if (!window.interop) return;
  const { connection, location, headers } = window.interop;
  connection.close();
  await fetch(location, { method: 'DELETE', headers });
}
