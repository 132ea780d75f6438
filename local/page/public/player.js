// One player: a viewer of a stream in a region, which joins again until it is closed.
// @ts-check

import { bitrateText, find, say, sentence, setText } from './dom.js';
import { measure } from './meter.js';
import { closeSession, connectionEnd, openSession, Refused, Unreachable } from './session.js';

/** @import { Region } from './control-api.js' */

/** Seconds until the next try when the region did not name any: after a refusal, a silence, a broken connection. */
const RETRY = { refused: 2, unreachable: 5, broken: 2 };

export class Player {
  /** @type {HTMLElement} */
  element;
  #region;
  #stream;
  #onClose;
  #closed = new AbortController();
  #video;
  #line;
  #state;
  #retry;
  #mute;
  #numbers;

  /**
   * Joins at once.
   * @param {{ template: HTMLTemplateElement, region: Region, stream: string, onClose: () => void }} options
   */
  constructor({ template, region, stream, onClose }) {
    this.#region = region;
    this.#stream = stream;
    this.#onClose = onClose;
    const content = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    this.element = find(content, 'article', HTMLElement);
    /** @param {string} name */
    const part = (name) => find(this.element, `[data-part="${name}"]`, HTMLElement);
    this.#video = find(this.element, 'video', HTMLVideoElement);
    this.#line = find(this.element, '.state', HTMLElement);
    this.#state = part('state');
    this.#retry = find(this.element, '[data-part="retry"]', HTMLButtonElement);
    this.#mute = find(this.element, '[data-part="mute"]', HTMLButtonElement);
    this.#numbers = {
      picture: part('picture'),
      bitrate: part('bitrate'),
      joined: part('joined'),
      frame: part('frame'),
    };
    setText(part('region'), region.id);
    setText(part('stream'), stream);
    part('stream').title = stream;
    const where = `${stream} in ${region.id}`;
    this.element.setAttribute('aria-label', `Player of ${where}`);
    part('close').setAttribute('aria-label', `Close the player of ${where}`);
    part('close').title = 'Close';
    const { signal } = this.#closed;
    part('close').addEventListener('click', () => this.close(), { signal });
    this.#mute.addEventListener('click', () => this.#toggleSound(), { signal });
    this.#run();
  }

  /** Idempotent. */
  close() {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.element.remove();
    this.#onClose();
  }

  async #run() {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      let message = '';
      /** @type {number | undefined} */
      let seconds;
      try {
        await this.#watch();
        message = `The connection to ${this.#region.id} broke.`;
        seconds = RETRY.broken;
      } catch (error) {
        ({ message, seconds } = this.#explain(error));
      }
      if (!signal.aborted) await this.#pause(message, seconds);
    }
  }

  /** One connection, until it is over or the player is closed. */
  async #watch() {
    const { id: region, api } = this.#region;
    const over = new AbortController();
    const close = () => over.abort();
    this.#closed.signal.addEventListener('abort', close, { once: true });
    const closed = new Promise((resolve) => over.signal.addEventListener('abort', resolve, { once: true }));
    const peer = new RTCPeerConnection();
    /** @type {string | undefined} */
    let session;
    try {
      for (const text of Object.values(this.#numbers)) setText(text, '–');
      this.#say('wait', `Joining in ${region} …`);
      const clicked = performance.now();
      const since = () => `${Math.round(performance.now() - clicked)} ms`;
      const media = new MediaStream();
      for (const kind of ['video', 'audio']) {
        media.addTrack(peer.addTransceiver(kind, { direction: 'recvonly' }).receiver.track);
      }
      this.#video.srcObject = media;
      this.#onFirstFrame(over.signal, () => setText(this.#numbers.frame, since()));

      session = await openSession(peer, { region, url: `${api}/whep/${encodeURIComponent(this.#stream)}` });
      if (over.signal.aborted) return;
      setText(this.#numbers.joined, since());
      this.#say('wait', 'Connecting …');
      this.#mute.hidden = false;
      measure(peer, {
        direction: 'inbound-rtp',
        signal: over.signal,
        onReading: ({ picture, bitrate }) => {
          setText(this.#numbers.picture, picture || '–');
          setText(this.#numbers.bitrate, bitrateText(bitrate));
          if (peer.connectionState !== 'connected') return;
          if (bitrate > 0) this.#say('good', 'Playing.');
          else this.#say('wait', 'Connected, but nothing arrives.');
        },
      });
      const ended = connectionEnd(peer, {
        signal: over.signal,
        onChange: (state) => {
          if (state === 'connected') this.#say('wait', 'Connected; waiting for media …');
          else if (state === 'disconnected')
            this.#say('wait', `The connection to ${region} is interrupted …`);
        },
      });
      await Promise.race([ended, closed]);
    } finally {
      this.#closed.signal.removeEventListener('abort', close);
      over.abort();
      if (session !== undefined) closeSession(session);
      peer.close();
      this.#video.srcObject = null;
      this.#mute.hidden = true;
    }
  }

  /**
   * @param {unknown} error
   * @returns {{ message: string, seconds: number | undefined }} `seconds`: when to try again; never by itself without
   */
  #explain(error) {
    if (error instanceof Unreachable) return { message: error.message, seconds: RETRY.unreachable };
    if (!(error instanceof Refused)) return { message: sentence(error), seconds: undefined };
    const { code, message, status, retryAfter } = error;
    const seconds =
      status === 409 || status === 429 || status === 503 ? (retryAfter ?? RETRY.refused) : undefined;
    return { message: code === 'stream-not-live' ? `${this.#stream} is not live yet.` : message, seconds };
  }

  /**
   * Waits for the time of the next try or for the button, whichever comes first.
   * @param {string} message
   * @param {number | undefined} seconds
   * @returns {Promise<void>}
   */
  #pause(message, seconds) {
    const { promise, resolve } = Promise.withResolvers();
    const done = new AbortController();
    const until = performance.now() + (seconds ?? Number.POSITIVE_INFINITY) * 1000;
    const tell = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      if (left <= 0) resolve(undefined);
      else
        this.#say(
          seconds === undefined ? 'bad' : 'wait',
          left === Infinity ? message : `${message} Trying again in ${left} s.`,
        );
    };
    const timer = setInterval(tell, 250);
    this.#retry.hidden = false;
    this.#retry.addEventListener('click', () => resolve(undefined), { signal: done.signal });
    this.#closed.signal.addEventListener('abort', () => resolve(undefined), { signal: done.signal });
    tell();
    return promise.finally(() => {
      clearInterval(timer);
      done.abort();
      this.#retry.hidden = true;
    });
  }

  /**
   * @param {AbortSignal} signal
   * @param {() => void} tell
   */
  #onFirstFrame(signal, tell) {
    if (!('requestVideoFrameCallback' in this.#video)) return;
    const handle = this.#video.requestVideoFrameCallback(tell);
    signal.addEventListener('abort', () => this.#video.cancelVideoFrameCallback(handle), { once: true });
  }

  #toggleSound() {
    this.#video.muted = !this.#video.muted;
    setText(this.#mute, this.#video.muted ? 'Unmute' : 'Mute');
  }

  /**
   * @param {'good' | 'wait' | 'bad'} mood
   * @param {string} text
   */
  #say(mood, text) {
    say(this.#line, this.#state, mood, text);
  }
}
