// One player of the page: a viewer of a stream in a region, with what it says of itself.
// @ts-check

import { Refused, Unreachable, WhepPlayer } from '../../../client/index.js';
import { bitrateText, find, say, sentence, setText } from './dom.js';

/** @import { PlayerState, PlayerStats } from '../../../client/whep-player.js' */
/** @import { Region } from './control-api.js' */

/** What a stalled player says: by whether it has heard that the publisher is away. */
const NOTHING = 'Connected, but nothing arrives.';
const AWAY = 'Its publisher is gone: waiting for it to come back.';

export class Player {
  /** @type {HTMLElement} */
  element;
  #region;
  #stream;
  #onClose;
  #closed = new AbortController();
  #whep;
  #video;
  #line;
  #state;
  #retry;
  #mute;
  #numbers;
  /** @type {ReturnType<typeof setInterval> | undefined} counts down to the next try */
  #countdown;
  #isPublished = true;

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
    this.#retry.addEventListener('click', () => this.#whep.retryNow(), { signal });
    this.#whep = new WhepPlayer({
      url: `${region.api}/whep/${encodeURIComponent(stream)}`,
      video: this.#video,
      onState: (state) => this.#show(state),
      onStats: (stats) => this.#measured(stats),
      onEvent: ({ event }) => this.#hear(event),
    });
    this.#whep.start();
  }

  /** Idempotent. */
  close() {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    clearInterval(this.#countdown);
    this.#whep.close();
    this.element.remove();
    this.#onClose();
  }

  /** @param {PlayerState} state */
  #show({ name, retryIn, error }) {
    const { id } = this.#region;
    clearInterval(this.#countdown);
    this.#retry.hidden = name !== 'waiting';
    this.#mute.hidden = name !== 'playing' && name !== 'stalled';
    if (name === 'joining') {
      this.#isPublished = true;
      for (const text of Object.values(this.#numbers)) setText(text, '–');
      this.#say('wait', `Joining in ${id} …`);
    } else if (name === 'connecting') this.#say('wait', 'Connecting …');
    else if (name === 'playing') this.#say('good', 'Playing.');
    else if (name === 'stalled') this.#say('wait', this.#isPublished ? NOTHING : AWAY);
    else if (name === 'failed') this.#say('bad', sentence(error));
    else if (name === 'waiting') this.#wait(this.#explain(error), retryIn ?? 0);
  }

  /** @param {string} event that the server told */
  #hear(event) {
    if (event !== 'active' && event !== 'inactive') return;
    this.#isPublished = event === 'active';
    if (this.#whep.state.name === 'stalled') this.#say('wait', this.#isPublished ? NOTHING : AWAY);
  }

  /**
   * @param {string} message
   * @param {number} retryIn ms
   */
  #wait(message, retryIn) {
    const until = performance.now() + retryIn;
    const tell = () => {
      const left = Math.max(1, Math.ceil((until - performance.now()) / 1000));
      this.#say('wait', `${message} Trying again in ${left} s.`);
    };
    this.#countdown = setInterval(tell, 250);
    tell();
  }

  /** @param {Error | undefined} error */
  #explain(error) {
    if (error instanceof Unreachable) return `${this.#region.id} does not answer.`;
    if (error instanceof Refused && error.code === 'stream-not-live')
      return `${this.#stream} is not live yet.`;
    return sentence(error);
  }

  /** @param {PlayerStats} stats */
  #measured({ frameWidth, frameHeight, framesPerSecond, bitrate, joined, firstFrame }) {
    const { picture, frame } = this.#numbers;
    const size = `${frameWidth}×${frameHeight}, ${Math.round(framesPerSecond)} fps`;
    setText(picture, frameWidth > 0 ? size : '–');
    setText(this.#numbers.bitrate, bitrateText(bitrate));
    setText(this.#numbers.joined, `${Math.round(joined)} ms`);
    setText(frame, firstFrame === undefined ? '–' : `${Math.round(firstFrame)} ms`);
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
