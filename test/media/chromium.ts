// Chromium as a publisher and a viewer: its own WebRTC, driven by playwright, against any WHIP and WHEP endpoint.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--use-fake-device-for-media-stream=fps=30',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The program: the system's, or what CHROMIUM_BIN names. */
export const chromiumPath = (): string => process.env.CHROMIUM_BIN || '/usr/bin/chromium';

export interface Browser {
  version: string;
  /** A page at this address, which decides what it may fetch. */
  open(url: string): Promise<Page>;
  close(): Promise<void>;
}

/** Where it runs, if not here. */
export interface Elsewhere {
  /** The beginning of a command that runs there (local/hosts.ts). */
  enter: readonly string[];
  /** What we fetch for it, for it cannot reach us at that address. */
  fetched: string;
}

/** Every run has a profile of its own. */
export async function startChromium(elsewhere?: Elsewhere): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'meridian-chromium-'));
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: elsewhere ? await scriptFor(elsewhere, chromiumPath(), profile) : chromiumPath(),
    headless: true,
    args: FLAGS,
  });
  if (elsewhere) await fetchFor(context, elsewhere);
  return {
    version: context.browser()?.version() ?? 'unknown',
    open: async (url) => {
      const page = await context.newPage();
      await page.goto(url);
      return page;
    },
    close: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

async function scriptFor({ enter }: Elsewhere, executable: string, directory: string): Promise<string> {
  const script = join(directory, 'chromium.sh');
  await writeFile(script, `#!/bin/sh\nexec ${[...enter, executable].join(' ')} "$@"\n`, { mode: 0o755 });
  return script;
}

const fetchFor = (context: BrowserContext, { fetched }: Elsewhere): Promise<unknown> =>
  context.route(`${fetched}/**`, async (route) => {
    const response = await fetch(route.request().url());
    await route.fulfill({
      status: response.status,
      contentType: response.headers.get('content-type') ?? 'text/plain',
      body: await response.text(),
    });
  });

export interface BrowserPublishOptions {
  url: string;
  token: string;
  /** As `video/VP8` or `video/H264;profile-level-id=42e01f`; the browser's first choice without it. */
  codec?: string;
  /** Layers to send, smallest first. */
  rids?: string[];
  /** Says another H264 profile to the server than the browser sends: for profiles that no encoder here has. */
  relabel?: { from: string; to: string };
}

/** Publishes the fake camera; resolves when the connection stands, with the codec that is sent. */
export function publishFrom(page: Page, options: BrowserPublishOptions): Promise<string> {
  return page.evaluate(async ({ url, token, codec, rids, relabel }) => {
    const media = await navigator.mediaDevices.getUserMedia({
      video: rids ? { width: 1280, height: 720 } : { width: 640, height: 360 },
      audio: true,
    });
    const connection = new RTCPeerConnection();
    const [video] = media.getVideoTracks();
    const [audio] = media.getAudioTracks();
    if (!video || !audio) throw new Error('no fake device');
    const sendEncodings = (rids ?? []).map((rid, index, all) => ({
      rid,
      scaleResolutionDownBy: 2 ** (all.length - 1 - index),
      // Little enough for the browser's first estimate to reach the top layer within seconds.
      maxBitrate: 80_000 * 2 ** index,
    }));
    const transceiver = connection.addTransceiver(video, {
      direction: 'sendonly',
      streams: [media],
      ...(sendEncodings.length > 0 ? { sendEncodings } : {}),
    });
    // On a busy machine it then sends fewer pictures, not smaller ones: who looks at layers tells them by their size.
    const sending = transceiver.sender.getParameters();
    await transceiver.sender.setParameters({ ...sending, degradationPreference: 'maintain-resolution' });
    connection.addTransceiver(audio, { direction: 'sendonly', streams: [media] });
    if (codec) {
      const [mimeType = '', parameter = ''] = codec.split(';');
      const wanted = RTCRtpSender.getCapabilities('video')?.codecs.filter(
        (known) =>
          known.mimeType.toLowerCase() === mimeType.toLowerCase() &&
          (known.sdpFmtpLine ?? '').includes(parameter),
      );
      if (!wanted?.length) throw new Error(`this browser cannot send ${codec}`);
      transceiver.setCodecPreferences(wanted);
    }
    await connection.setLocalDescription();
    await new Promise<void>((resolve) => {
      if (connection.iceGatheringState === 'complete') resolve();
      else
        connection.addEventListener(
          'icegatheringstatechange',
          () => connection.iceGatheringState === 'complete' && resolve(),
        );
    });
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' },
      body: (connection.localDescription?.sdp ?? '').replaceAll(relabel?.from ?? '', relabel?.to ?? ''),
    });
    const answer = (await response.text()).replaceAll(relabel?.to ?? '', relabel?.from ?? '');
    if (response.status !== 201) throw new Error(`${response.status}: ${answer}`);
    const connected = new Promise<void>((resolve, reject) => {
      connection.addEventListener('connectionstatechange', () => {
        if (connection.connectionState === 'connected') resolve();
        if (connection.connectionState === 'failed') reject(new Error('the connection failed'));
      });
    });
    await connection.setRemoteDescription({ type: 'answer', sdp: answer });
    await connected;
    Object.assign(window, { publishing: { connection, location: response.headers.get('location') } });
    return transceiver.sender.getParameters().codecs[0]?.mimeType ?? '';
  }, options);
}

/** The heights of the pictures that a page publishes now, by rid; a layer that is not sent is left out. */
export function sentHeights(page: Page): Promise<Record<string, number>> {
  return page.evaluate(async () => {
    const { publishing }: { publishing?: { connection: RTCPeerConnection } } = Object(window);
    const stats = [...((await publishing?.connection.getStats())?.values() ?? [])];
    const sent = stats.filter(
      ({ type, kind, framesPerSecond }) => type === 'outbound-rtp' && kind === 'video' && framesPerSecond > 0,
    );
    return Object.fromEntries(sent.map(({ rid, frameHeight }) => [rid, frameHeight]));
  });
}

/** Pictures that a page has sent so far of the layer with this rid. */
export function sentFrames(page: Page, rid: string): Promise<number> {
  return page.evaluate(async (wanted) => {
    const { publishing }: { publishing?: { connection: RTCPeerConnection } } = Object(window);
    const stats = [...((await publishing?.connection.getStats())?.values() ?? [])];
    return stats.find((stat) => stat.type === 'outbound-rtp' && stat.rid === wanted)?.framesSent ?? 0;
  }, rid);
}

export interface Watched {
  codec: string;
  framesDecoded: number;
  keyFramesDecoded: number;
  /** Of the pictures, in pixels: the first, and what it changed to. */
  heights: number[];
  audioSamples: number;
  /** Milliseconds from before the POST to the first frame on the page. */
  firstFrameAfter: number;
  /** Header extensions that the server described. */
  extensions: number;
}

export interface BrowserWatchOptions {
  url: string;
  /** How many frames to wait for. */
  frames: number;
  /** Counts them only from when they are so high, in pixels. */
  fromHeight?: number;
  relabel?: BrowserPublishOptions['relabel'];
  /** Asks for a counter-offer, and takes it. */
  counterOffer?: boolean;
}

/**
 * Watches until so many frames are decoded.
 * @throws Error when that takes longer than 20 s.
 */
export function watchFrom(page: Page, options: BrowserWatchOptions): Promise<Watched> {
  return page.evaluate(async ({ url, frames, fromHeight, relabel, counterOffer }) => {
    const media = new MediaStream();
    const element = document.createElement('video');
    Object.assign(element, { autoplay: true, muted: true, playsInline: true, srcObject: media });
    document.body.append(element);
    const connect = () => {
      const made = new RTCPeerConnection();
      made.addEventListener('track', ({ track }) => media.addTrack(track));
      return made;
    };
    let connection = connect();
    connection.addTransceiver('video', { direction: 'recvonly' });
    connection.addTransceiver('audio', { direction: 'recvonly' });
    await connection.setLocalDescription();
    await new Promise<void>((resolve) => {
      const look = () => connection.iceGatheringState === 'complete' && resolve();
      connection.addEventListener('icegatheringstatechange', look);
      look();
    });
    const started = performance.now();
    const shown = new Promise<number>((resolve) => {
      element.requestVideoFrameCallback((now) => resolve(now - started));
    });
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp', ...(counterOffer ? { prefer: 'counter-offer' } : {}) },
      body: (connection.localDescription?.sdp ?? '').replaceAll(relabel?.from ?? '', relabel?.to ?? ''),
    });
    const description = (await response.text()).replaceAll(relabel?.to ?? '', relabel?.from ?? '');
    const location = response.headers.get('location') ?? '';
    if (response.status === 406 && counterOffer) {
      connection.close();
      connection = connect();
      await connection.setRemoteDescription({ type: 'offer', sdp: description });
      await connection.setLocalDescription();
      const body = connection.localDescription?.sdp ?? '';
      const taken = await fetch(location, {
        method: 'PATCH',
        headers: { 'content-type': 'application/sdp' },
        body,
      });
      if (taken.status !== 204) throw new Error(`${taken.status}: ${await taken.text()}`);
    } else {
      if (response.status !== 201) throw new Error(`${response.status}: ${description}`);
      await connection.setRemoteDescription({ type: 'answer', sdp: description });
    }
    const heights: number[] = [];
    let uncounted = fromHeight === undefined ? 0 : Number.POSITIVE_INFINITY;
    for (;;) {
      const stats = [...(await connection.getStats()).values()];
      const video = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
      const audio = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio');
      if (video?.frameHeight > 0 && video.frameHeight !== heights.at(-1)) heights.push(video.frameHeight);
      if (fromHeight !== undefined && heights.includes(fromHeight))
        uncounted = Math.min(uncounted, video.framesDecoded);
      if (video?.framesDecoded - uncounted >= frames && audio?.totalSamplesReceived > 0) {
        const firstFrameAfter = await shown;
        const codec = stats.find(({ id }) => id === video.codecId)?.mimeType ?? '';
        await fetch(location, { method: 'DELETE' });
        connection.close();
        element.remove();
        return {
          codec,
          framesDecoded: video.framesDecoded,
          keyFramesDecoded: video.keyFramesDecoded,
          heights,
          audioSamples: audio.totalSamplesReceived,
          firstFrameAfter,
          // Only a connection with transport-wide feedback or the like tells the sender what the link carries.
          extensions: (connection.remoteDescription?.sdp ?? '').split('a=extmap:').length - 1,
        };
      }
      if (performance.now() - started > 20_000) {
        throw new Error(
          `after 20 s: ${JSON.stringify({ state: connection.connectionState, heights, video })}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }, options);
}
