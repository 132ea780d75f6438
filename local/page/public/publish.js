// The publish panel: one publication at a time, from a source to a region's WHIP endpoint.
// @ts-check

import { WhipPublisher } from '../../../client/index.js';
import { bitrateText, find, say, sentence, setText } from './dom.js';
import { openSource } from './source.js';

/** @import { PublisherState, PublisherStats } from '../../../client/whip-publisher.js' */
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
    this.#toggle(true);
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
    this.#toggle(false);
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
    this.#say('wait', kind === 'test' ? 'Connecting …' : `Waiting for the ${kind} …`);
    const source = await openSource(kind, { stream, region: region.id });
    const over = new AbortController();
    /** @type {PromiseWithResolvers<string>} */
    const ended = Promise.withResolvers();
    signal.addEventListener('abort', () => ended.resolve('Not publishing.'), { signal: over.signal });
    /** @type {WhipPublisher | undefined} */
    let publisher;
    try {
      signal.throwIfAborted();
      this.#preview.srcObject = source.media;
      this.#preview.hidden = false;
      this.#hint.hidden = true;
      for (const track of source.media.getTracks()) {
        // The browser's own "stop sharing" ends the publication.
        track.addEventListener('ended', () => this.stop(), { signal: over.signal });
      }
      publisher = new WhipPublisher({
        url: `${region.api}/whip/${encodeURIComponent(stream)}`,
        token: this.#world.publishToken,
        stream: source.media,
        onState: (state) => {
          if (state.name === 'failed') ended.reject(state.error);
          else if (state.name === 'superseded') {
            ended.reject(new Error(`Somebody else publishes ${stream} now.`));
          } else this.#show(state, { region: region.id, stream });
        },
        onStats: (stats) => this.#measured(stats),
      });
      publisher.start();
      return await ended.promise;
    } finally {
      over.abort();
      publisher?.close();
      source.stop();
      this.#preview.srcObject = null;
      this.#preview.hidden = true;
      this.#hint.hidden = false;
    }
  }

  /**
   * @param {PublisherState} state
   * @param {{ region: string, stream: string }} where
   */
  #show({ name, error }, { region, stream }) {
    if (name === 'joining' || name === 'connecting') this.#say('wait', `Connecting to ${region} …`);
    else if (name === 'waiting') this.#say('wait', `${sentence(error)} Trying again …`);
    else if (name === 'live') {
      this.#say('good', `Live in ${region} as ${stream}.`);
      this.#onPublish(stream);
    }
  }

  /** @param {PublisherStats} stats */
  #measured({ frameWidth, frameHeight, framesPerSecond, bitrate }) {
    const size = `${frameWidth}×${frameHeight}, ${Math.round(framesPerSecond)} fps`;
    setText(this.#numbers, [frameWidth > 0 ? size : '', bitrateText(bitrate)].filter(Boolean).join(', '));
  }

  /** @param {boolean} publishing */
  #toggle(publishing) {
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
