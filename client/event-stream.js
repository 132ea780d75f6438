// Reads `text/event-stream` (HTML, section 9.2.6) in whatever pieces it comes.
// @ts-check

/** Between two looks at an event stream that ended, where it does not say, in ms: as the server's `retry`. */
const RETRY = 2_000;
/** What a server's `retry` can make of it, in ms: neither a storm nor the end. */
const LEAST_RETRY = 500;
const MOST_RETRY = 60_000;
/** What is kept of an event that has not ended, in characters: far more than an event of ours has. */
const LONGEST = 65_536;

export class EventStreamParser {
  lastId = '';
  /** ms */
  retry = RETRY;
  #rest = '';
  #id = '';
  #event = '';
  /** @type {string[]} */
  #data = [];
  /** Characters of `#data`. */
  #size = 0;

  /**
   * @param {string} text
   * @returns {{ event: string, data: string }[]} the events that it completes
   */
  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.#line(line));
  }

  /** Whether the event that has not ended is too long to wait for its end. */
  get isTooLong() {
    return this.#rest.length + this.#size > LONGEST;
  }

  /** The stream ended: what was not complete is dropped, as the standard has it. */
  end() {
    this.#rest = '';
    this.#id = this.lastId;
    this.#clear();
  }

  /** @param {string} value */
  #addData(value) {
    this.#data.push(value);
    this.#size += value.length + 1;
  }

  #clear() {
    this.#event = '';
    this.#data = [];
    this.#size = 0;
  }

  /** @param {string} line */
  #line(line) {
    if (line === '') {
      const event = { event: this.#event || 'message', data: this.#data.join('\n') };
      const isEvent = this.#data.length > 0;
      this.lastId = this.#id;
      this.#clear();
      return isEvent ? [event] : [];
    }
    const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#addData(value);
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
    else if (name === 'retry' && /^\d+$/.test(value))
      this.retry = Math.min(Math.max(Number(value), LEAST_RETRY), MOST_RETRY);
    return [];
  }
}
