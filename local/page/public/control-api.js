// The control API's client: any region answers for all, so the one that answered last is asked first.
// @ts-check

/** How long a region may take before the next one is asked, in ms. */
const PATIENCE = 2_500;

/**
 * @typedef {object} Region
 * @property {string} id
 * @property {string} api base URL of the region's HTTP API
 */

/**
 * @typedef {object} World
 * @property {Region[]} regions
 * @property {string} publishToken
 * @property {string} apiSecret
 */

/** @typedef {{ region: string, nodeId: string }} NodeName */

/** @typedef {NodeName & { epoch: number, startedAt: string }} Origin */

/**
 * @typedef {object} Track
 * @property {'audio' | 'video'} kind
 * @property {string} codec
 * @property {{ rid: string | null, bitrate: number, packets: number }[]} layers
 */

/**
 * @typedef {object} CascadeNode
 * @property {string} nodeId
 * @property {'origin' | 'secondary-origin' | 'edge'} role
 * @property {NodeName | null} parent
 * @property {number} viewers
 * @property {{ bytesReceived: number, bitrate: number } | null} leg bits per second
 * @property {number} hops
 * @property {Track[]} tracks
 */

/**
 * @typedef {object} Cascade
 * @property {string} streamName
 * @property {Origin | null} origin
 * @property {{ region: string, nodes: CascadeNode[] }[]} regions those that answered
 */

/** @typedef {{ streamName: string, origin: Origin | null }} LiveStream */

export class ControlApi {
  /** @type {Region[]} the one that answered last comes first */
  #regions;
  #secret;

  /** @param {World} world */
  constructor({ regions, apiSecret }) {
    this.#regions = [...regions];
    this.#secret = apiSecret;
  }

  /**
   * The first page of the list.
   * @returns {Promise<{ streams: LiveStream[], more: boolean }>}
   * @throws Error with one sentence for a person.
   */
  async streams() {
    const data = /** @type {{ streams: LiveStream[], next?: string } | undefined} */ (
      await this.#get('/api/streams')
    );
    return { streams: data?.streams ?? [], more: data?.next !== undefined };
  }

  /**
   * @param {string} stream
   * @returns {Promise<Cascade | undefined>} undefined when the stream is not live
   * @throws Error with one sentence for a person.
   */
  async cascade(stream) {
    const path = `/api/streams/${encodeURIComponent(stream)}`;
    return /** @type {Cascade | undefined} */ (await this.#get(path));
  }

  /**
   * @param {string} path
   * @returns {Promise<unknown>}
   */
  async #get(path) {
    for (const region of [...this.#regions]) {
      const response = await this.#ask(region, path);
      if (response === undefined) continue;
      this.#regions = [region, ...this.#regions.filter((other) => other !== region)];
      if (response.status === 404) return undefined;
      if (response.status === 401) {
        throw new Error('This page does not know the secret of the running world. Reload it.');
      }
      const body = /** @type {{ data?: { message?: string } } | null} */ (
        await response.json().catch(() => null)
      );
      if (response.ok && body?.data) return body.data;
      throw new Error(body?.data?.message ?? `${region.id} answered ${response.status} to GET ${path}.`);
    }
    throw new Error('No region answers. Is the local world running?');
  }

  /**
   * @param {Region} region
   * @param {string} path
   * @returns {Promise<Response | undefined>} undefined when the region does not answer
   */
  async #ask({ api }, path) {
    try {
      return await fetch(`${api}${path}`, {
        headers: { Authorization: `Bearer ${this.#secret}` },
        signal: AbortSignal.timeout(PATIENCE),
      });
    } catch {
      return undefined;
    }
  }
}
