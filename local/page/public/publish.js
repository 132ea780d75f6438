// The publish panel: one publication at a time, from a source to a region's WHIP endpoint.
// @ts-check

import { bitrateText, find, say, sentence, setText } from './dom.js';
import { measure } from './meter.js';
import { closeSession, connectionEnd, openSession } from './session.js';
import { openSource } from './source.js';

/** @import { World } from './control-api.js' */
/** @import { SourceKind } from './source.js' */

export class PublishPanel {
  #world;
  #onPublish;
  #form = find(document, '#publish', HTMLFormElement);
  #stream = find(document, '#publish-stream', HTMLInputElement);
  #region = find(document, '#publish-region', HTMLSelectElement);
  #button = find(document, '#publish-button', HTMLButtonElement);
  #state = find(document, '#publish-state', HTMLElement);
  #numbers = find(document, '#publish-numbers', HTMLElement);
  #preview = find(document, '#preview', HTMLVideoElement);
  #hint = find(document, '#preview-hint', HTMLElement);
  /** @type {AbortController | undefined} ends the publication that runs */
  #running;

  /**
   * @param {{ world: World, onPublish: (stream: string) => void }} options `onPublish` is told when a stream is live
   */
  constructor({ world, onPublish }) {
    this.#world = world;
    this.#onPublish = onPublish;
    this.#region.replaceChildren(...world.regions.map(({ id }) => new Option(id, id)));
    if (!('getDisplayMedia' in (navigator.mediaDevices ?? {}))) {
      find(this.#form, 'input[value="screen"]', HTMLInputElement).disabled = true;
    }
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.#running) this.stop();
      else this.#publish();
    });
    this.#button.disabled = false;
  }

  /** Idempotent. */
  stop() {
    this.#running?.abort();
  }

  async #publish() {
    const running = new AbortController();
    this.#running = running;
    const stream = this.#stream.value;
    // Read before the form is disabled, for then it has no data.
    const kind = /** @type {SourceKind} */ (new FormData(this.#form).get('source'));
    this.#show(true);
    let ending = 'Not publishing.';
    /** @type {'idle' | 'bad'} */
    let mood = 'idle';
    try {
      ending = await this.#run({ stream, kind, signal: running.signal });
    } catch (error) {
      if (!running.signal.aborted) {
        ending = sentence(error);
        mood = 'bad';
      }
    }
    running.abort();
    this.#running = undefined;
    this.#show(false);
    this.#say(mood, ending);
    setText(this.#numbers, '');
  }

  /**
   * Publishes until it is stopped or over.
   * @param {{ stream: string, kind: SourceKind, signal: AbortSignal }} options
   * @returns {Promise<string>} what to say at the end
   */
  async #run({ stream, kind, signal }) {
    const region = this.#world.regions.find(({ id }) => id === this.#region.value);
    if (region === undefined) throw new Error('Choose a region to publish in.');
    const token = this.#world.publishToken;
    const stopped = new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve('Not publishing.'), { once: true });
    });

    this.#say('wait', kind === 'test' ? 'Connecting …' : `Waiting for the ${kind} …`);
    const source = await openSource(kind, { stream, region: region.id });
    const peer = new RTCPeerConnection();
    const over = new AbortController();
    /** @type {string | undefined} */
    let session;
    try {
      signal.throwIfAborted();
      this.#preview.srcObject = source.media;
      this.#preview.hidden = false;
      this.#hint.hidden = true;
      for (const track of source.media.getTracks()) {
        peer.addTransceiver(track, { direction: 'sendonly', streams: [source.media] });
        // The browser's own "stop sharing" ends the publication.
        track.addEventListener('ended', () => this.stop(), { signal: over.signal });
      }
      this.#say('wait', `Connecting to ${region.id} …`);
      const url = `${region.api}/whip/${encodeURIComponent(stream)}`;
      session = await openSession(peer, { region: region.id, url, token });
      signal.throwIfAborted();
      measure(peer, {
        direction: 'outbound-rtp',
        signal: over.signal,
        onReading: ({ picture, bitrate }) =>
          setText(this.#numbers, [picture, bitrateText(bitrate)].filter(Boolean).join(', ')),
      });
      const ended = connectionEnd(peer, {
        signal: over.signal,
        onChange: (state) => {
          if (state === 'connected') {
            this.#say('good', `Live in ${region.id} as ${stream}.`);
            this.#onPublish(stream);
          } else if (state === 'disconnected')
            this.#say('wait', `The connection to ${region.id} is interrupted …`);
        },
      }).then(() => {
        throw new Error(`The connection to ${region.id} is over. Publish again to go on.`);
      });
      return await Promise.race([stopped, ended]);
    } finally {
      over.abort();
      if (session !== undefined) closeSession(session, token);
      peer.close();
      source.stop();
      this.#preview.srcObject = null;
      this.#preview.hidden = true;
      this.#hint.hidden = false;
    }
  }

  /** @param {boolean} publishing */
  #show(publishing) {
    setText(this.#button, publishing ? 'Stop' : 'Publish');
    this.#button.classList.toggle('stop', publishing);
    const fields = this.#form.querySelectorAll('.field input, select');
    for (const field of fields) field.toggleAttribute('disabled', publishing);
    find(this.#form, 'fieldset', HTMLFieldSetElement).disabled = publishing;
  }

  /**
   * @param {'idle' | 'good' | 'wait' | 'bad'} mood
   * @param {string} text
   */
  #say(mood, text) {
    say(this.#state, this.#state, mood, text);
  }
}
