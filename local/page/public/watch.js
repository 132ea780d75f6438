// The watch panel: which stream is looked at, one button per region, and the players.
// @ts-check

import { find } from './dom.js';
import { Player } from './player.js';

/** @import { Region } from './control-api.js' */

export class WatchPanel {
  #onStream;
  #stream = find(document, '#watch-stream', HTMLInputElement);
  #error = find(document, '#watch-error', HTMLElement);
  #list = find(document, '#players', HTMLElement);
  #hint = find(document, '#players-hint', HTMLElement);
  #template = find(document, '#player', HTMLTemplateElement);
  /** @type {Set<Player>} */
  #players = new Set();

  /**
   * @param {{ regions: readonly Region[], stream: string, onStream: (stream: string) => void }} options
   * `onStream` is told the valid name that is looked at, whenever it changes
   */
  constructor({ regions, stream, onStream }) {
    this.#onStream = onStream;
    this.#stream.value = stream;
    this.#stream.addEventListener('input', () => this.#named());
    const buttons = regions.map((region) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = `Watch in ${region.id}`;
      button.addEventListener('click', () => this.#open(region));
      return button;
    });
    find(document, '#watch-buttons', HTMLElement).replaceChildren(...buttons);
  }

  /** @param {string} stream */
  select(stream) {
    if (this.#stream.value === stream) return;
    this.#stream.value = stream;
    this.#named();
  }

  closeAll() {
    for (const player of [...this.#players]) player.close();
  }

  #named() {
    const valid = this.#stream.validity.valid;
    if (valid) {
      this.#error.hidden = true;
      this.#onStream(this.#stream.value);
    }
    return valid;
  }

  /** @param {Region} region */
  #open(region) {
    if (!this.#named()) {
      this.#error.hidden = false;
      this.#error.textContent = `This is not a stream name: it takes ${this.#stream.title}.`;
      this.#stream.focus();
      return;
    }
    const player = new Player({
      template: this.#template,
      region,
      stream: this.#stream.value,
      onClose: () => {
        this.#players.delete(player);
        this.#hint.hidden = this.#players.size > 0;
      },
    });
    this.#players.add(player);
    this.#list.append(player.element);
    this.#hint.hidden = true;
  }
}
