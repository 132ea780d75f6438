// A real publisher and a real viewer: libwebrtc in this process, speaking WHIP and WHEP.

import { EventEmitter, once } from 'node:events';
import wrtc from '@roamhq/wrtc';
import { drawFrameNumber, type Picture, readFrameNumber } from './frame-number.ts';

const { RTCPeerConnection, nonstandard } = wrtc;
type PeerConnection = InstanceType<typeof RTCPeerConnection>;

export interface HttpSession {
  /** The session's URL. */
  location: string;
  etag: string;
  /** The node that serves it, where the server says so. */
  node: string;
  /** Milliseconds from POST to 201. */
  answeredAfter: number;
  answer: string;
}

/** POSTs an offer. @throws HttpError on anything but 201. */
export async function post(
  url: string,
  offer: string,
  token?: string,
): Promise<HttpSession & { answer: string }> {
  const started = performance.now();
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: offer,
    signal: AbortSignal.timeout(20_000),
  });
  const answeredAfter = performance.now() - started;
  const answer = await response.text();
  if (response.status !== 201) throw new HttpError(response.status, answer);
  return {
    location: response.headers.get('location') ?? '',
    etag: response.headers.get('etag') ?? '',
    node: response.headers.get('meridian-node') ?? '',
    answeredAfter,
    answer,
  };
}

export class HttpError extends Error {
  readonly status: number;
  constructor(status: number, body: string) {
    super(`${status}: ${body}`);
    this.status = status;
  }
}

/** Sets the local description and waits for every candidate: a plain, non-trickling client. */
async function completeOffer(connection: PeerConnection, mangle = (offer: string) => offer): Promise<string> {
  const { sdp = '' } = await connection.createOffer();
  await connection.setLocalDescription({ type: 'offer', sdp: mangle(sdp) });
  if (connection.iceGatheringState !== 'complete') {
    await new Promise<void>((resolve) => {
      connection.onicegatheringstatechange = () => {
        if (connection.iceGatheringState === 'complete') resolve();
      };
    });
  }
  return connection.localDescription?.sdp ?? '';
}

/** A publisher's offer that nobody will ever connect. */
export const offerToSend = (): Promise<string> => offerAlone('sendonly');

/** A player's offer that nobody will ever connect. */
export const offerToReceive = (): Promise<string> => offerAlone('recvonly');

async function offerAlone(direction: 'sendonly' | 'recvonly'): Promise<string> {
  const connection = new RTCPeerConnection();
  connection.addTransceiver('video', { direction });
  connection.addTransceiver('audio', { direction });
  const offer = await completeOffer(connection);
  connection.close();
  return offer;
}

async function connected(connection: PeerConnection): Promise<void> {
  const over = AbortSignal.timeout(15_000);
  await new Promise<void>((resolve, reject) => {
    const look = () => {
      if (connection.connectionState === 'connected') resolve();
      else if (connection.connectionState === 'failed') reject(new Error('the connection failed'));
    };
    over.addEventListener('abort', () =>
      reject(new Error(`not connected after 15 s: ${connection.connectionState}`)),
    );
    connection.onconnectionstatechange = look;
    look();
  });
}

export interface PublishOptions {
  /** The WHIP endpoint. */
  url: string;
  token: string;
  video?: boolean;
  audio?: boolean;
  /** Rewrites the offer before it becomes the local description. */
  mangle?: (offer: string) => string;
  width?: number;
  height?: number;
}

/** Publishes numbered pictures at 30 a second, and a tone. */
export class Publisher {
  readonly connection: PeerConnection;
  readonly session: HttpSession;
  readonly #token: string;
  readonly #media: { silent: boolean; stop: () => void };

  private constructor(
    connection: PeerConnection,
    session: HttpSession,
    token: string,
    media: { silent: boolean; stop: () => void },
  ) {
    this.connection = connection;
    this.session = session;
    this.#token = token;
    this.#media = media;
  }

  /** Whether it sends no media although its connection stays. */
  set silent(silent: boolean) {
    this.#media.silent = silent;
  }

  /** Resolves when its media is connected. */
  static async start(options: PublishOptions): Promise<Publisher> {
    const {
      url,
      token,
      video = true,
      audio = true,
      mangle = (offer) => offer,
      width = 320,
      height = 180,
    } = options;
    const connection = new RTCPeerConnection();
    const stops: (() => void)[] = [];
    const media = { silent: false, stop: () => stops.map((stop) => stop()) };
    try {
      if (video) {
        const source = new nonstandard.RTCVideoSource();
        const track = source.createTrack();
        connection.addTransceiver(track, { direction: 'sendonly' });
        const picture: Picture = { width, height, data: new Uint8Array((width * height * 3) / 2) };
        let number = 0;
        const timer = setInterval(() => {
          if (media.silent) return;
          number = (number + 1) & 0xffff;
          drawFrameNumber(picture, number);
          source.onFrame(picture);
        }, 1000 / 30);
        stops.push(
          () => clearInterval(timer),
          () => track.stop(),
        );
      }
      if (audio) {
        const source = new nonstandard.RTCAudioSource();
        const track = source.createTrack();
        connection.addTransceiver(track, { direction: 'sendonly' });
        const samples = Int16Array.from(
          { length: 480 },
          (_, index) => 8_000 * Math.sin((2 * Math.PI * index) / 48),
        );
        const sound = {
          samples,
          sampleRate: 48_000,
          bitsPerSample: 16,
          channelCount: 1,
          numberOfFrames: 480,
        };
        const timer = setInterval(() => media.silent || source.onData(sound), 10);
        stops.push(
          () => clearInterval(timer),
          () => track.stop(),
        );
      }
      const session = await post(url, await completeOffer(connection, mangle), token);
      await connection.setRemoteDescription({ type: 'answer', sdp: session.answer });
      await connected(connection);
      return new Publisher(connection, session, token, media);
    } catch (error) {
      media.stop();
      connection.close();
      throw error;
    }
  }

  /** Ends the session as a client should. */
  async stop(): Promise<void> {
    this.#media.stop();
    this.connection.close();
    await fetch(this.session.location, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${this.#token}` },
      signal: AbortSignal.timeout(20_000),
    });
  }

  /** Goes without a word, as a client does that lost its network. */
  vanish(): void {
    this.#media.stop();
    this.connection.close();
  }
}

export interface ViewOptions {
  /** The WHEP endpoint. */
  url: string;
  token?: string;
  /** Rewrites the offer before it becomes the local description. */
  mangle?: (offer: string) => string;
  /** Rewrites the answer before it becomes the remote description. */
  mangleAnswer?: (answer: string) => string;
  /** Whether it has a data channel for events. */
  hearsEvents?: boolean;
}

/** Emits `frame` with the number of every picture that could be read. */
export class Viewer extends EventEmitter<{ frame: [number] }> {
  /** What came over its data channel. */
  readonly heard: unknown[] = [];
  readonly connection: PeerConnection;
  readonly session: HttpSession;
  readonly #sinks: { stop(): void }[] = [];
  readonly #started: number;
  #decoded = 0;
  /** Milliseconds from before the POST to the first decoded picture whose number could be read. */
  firstFrameAfter: number | undefined;
  /** The same for any picture. */
  firstPictureAfter: number | undefined;
  frames = 0;
  lastNumber: number | undefined;
  /** Whether pictures that came were wider than high, or not; who asks clears it first. */
  readonly shapes = new Set<'wide' | 'tall'>();
  /** Of the last picture, in pixels. */
  height: number | undefined;
  samples = 0;

  private constructor(connection: PeerConnection, session: HttpSession, started: number) {
    super();
    this.connection = connection;
    this.session = session;
    this.#started = started;
  }

  /** Resolves when the answer is set; pictures follow. */
  static async start({
    url,
    token,
    mangle,
    mangleAnswer = (answer) => answer,
    hearsEvents = false,
  }: ViewOptions): Promise<Viewer> {
    const connection = new RTCPeerConnection();
    try {
      // mediasoup has no DCEP: both ends know the channel's number.
      const channel = hearsEvents
        ? connection.createDataChannel('events', { negotiated: true, id: 0 })
        : undefined;
      const video = connection.addTransceiver('video', { direction: 'recvonly' });
      const audio = connection.addTransceiver('audio', { direction: 'recvonly' });
      const offer = await completeOffer(connection, mangle);
      const started = performance.now();
      const session = await post(url, offer, token);
      const viewer = new Viewer(connection, session, started);
      if (channel) channel.onmessage = ({ data }) => viewer.heard.push(JSON.parse(data));
      const videoSink = new nonstandard.RTCVideoSink(video.receiver.track);
      videoSink.onframe = ({ frame }: { frame: Picture }) => viewer.#onFrame(frame);
      const audioSink = new nonstandard.RTCAudioSink(audio.receiver.track);
      audioSink.ondata = ({ samples }: { samples: Int16Array }) => {
        if (samples.some((sample) => Math.abs(sample) > 500)) viewer.samples += samples.length;
      };
      viewer.#sinks.push(videoSink, audioSink);
      await connection.setRemoteDescription({ type: 'answer', sdp: mangleAnswer(session.answer) });
      return viewer;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Pictures that were decoded, whatever they showed. */
  decoded(): number {
    return this.#decoded;
  }

  #onFrame(frame: Picture): void {
    this.#decoded += 1;
    this.firstPictureAfter ??= performance.now() - this.#started;
    this.height = frame.height;
    this.shapes.add(frame.width > frame.height ? 'wide' : 'tall');
    const number = readFrameNumber(frame);
    if (number === undefined) return;
    this.firstFrameAfter ??= performance.now() - this.#started;
    this.frames += 1;
    this.lastNumber = number;
    this.emit('frame', number);
  }

  /** Waits for so many more readable pictures and returns their numbers. */
  async watch(count: number, within = 30_000): Promise<number[]> {
    const signal = AbortSignal.timeout(within);
    const numbers: number[] = [];
    while (numbers.length < count) {
      const [number] = await once(this, 'frame', { signal }).catch(() => {
        throw new Error(
          `${numbers.length} of ${count} pictures in ${within} ms (${this.connection.connectionState})`,
        );
      });
      numbers.push(number);
    }
    return numbers;
  }

  async stop(): Promise<void> {
    this.vanish();
    await fetch(this.session.location, { method: 'DELETE', signal: AbortSignal.timeout(20_000) });
  }

  vanish(): void {
    for (const sink of this.#sinks) sink.stop();
    this.connection.close();
  }
}
