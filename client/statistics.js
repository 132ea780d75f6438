// What a connection's statistics say, in few words: from the browser's reports (W3C webrtc-stats) to one reading.
// @ts-check

/** @typedef {'bytesReceived' | 'bytesSent' | 'currentRoundTripTime' | 'packetsLost'} TransferNumber */
/** @typedef {'encodingIndex' | 'frameWidth' | 'frameHeight' | 'framesPerSecond' | 'framesDecoded' | 'framesEncoded'} FrameNumber */
/** @typedef {'framesDropped' | 'freezeCount'} LossNumber */
/** @typedef {'kind' | 'rid' | 'localCandidateId' | 'selectedCandidatePairId' | 'usernameFragment'} NameText */

/**
 * An entry of a report, as far as it is read here.
 * @typedef {{ id: string, type: string } & Partial<Record<TransferNumber | FrameNumber | LossNumber, number>> & Partial<Record<NameText | 'qualityLimitationReason', string>>} Entry
 */

/**
 * A simulcast layer that is sent, or the one picture.
 * @typedef {object} SentLayer
 * @property {string | undefined} rid
 * @property {number} width pixels; 0 while it is not sent
 * @property {number} height
 * @property {number} framesPerSecond
 * @property {number} bitrate bits per second since the reading before
 */

/**
 * @typedef {object} Reading
 * @property {number} at ms, of `performance.now()`
 * @property {number} bitrate bits per second of media since the reading before
 * @property {number | undefined} roundTripTime ms, by the connectivity checks
 * @property {number} packetsLost on the way here, or, of what we send, as the server reports it
 * @property {number} frames decoded, or encoded in the largest layer
 * @property {number} framesDropped
 * @property {number} framesPerSecond
 * @property {number} frameWidth pixels
 * @property {number} frameHeight pixels
 * @property {number} freezes
 * @property {readonly SentLayer[]} layers of what we send, smallest first
 * @property {string | undefined} limitedBy of what we send: `cpu` or `bandwidth`, where one holds it down
 */

/** What is remembered from one reading to the next. */
export class Meter {
  #direction;
  #at;
  /** By entry. @type {Map<string, number>} */
  #bytes = new Map();

  /**
   * @param {'inbound-rtp' | 'outbound-rtp'} direction
   * @param {number} [now] ms
   */
  constructor(direction, now = performance.now()) {
    this.#direction = direction;
    this.#at = now;
  }

  /**
   * @param {Iterable<Entry>} report
   * @param {number} [now] ms
   * @returns {Reading}
   */
  read(report, now = performance.now()) {
    const entries = [...report];
    const elapsed = Math.max(1, now - this.#at);
    const flows = entries
      .filter(({ type }) => type === this.#direction)
      .map((entry) => {
        const bytes = entry.bytesReceived ?? entry.bytesSent ?? 0;
        const bitrate = (Math.max(0, bytes - (this.#bytes.get(entry.id) ?? 0)) * 8_000) / elapsed;
        this.#bytes.set(entry.id, bytes);
        return { ...entry, bitrate };
      });
    this.#at = now;
    const videos = flows.filter(({ kind }) => kind === 'video');
    const top = videos.toSorted((a, b) => (b.frameHeight ?? 0) - (a.frameHeight ?? 0))[0];
    const lossAt = this.#direction === 'inbound-rtp' ? 'inbound-rtp' : 'remote-inbound-rtp';
    const { currentRoundTripTime: roundTrip } = selectedPair(entries) ?? {};
    return {
      at: now,
      bitrate: sum(flows, ({ bitrate }) => bitrate),
      roundTripTime: roundTrip === undefined ? undefined : roundTrip * 1_000,
      packetsLost: sum(entries, ({ type, packetsLost = 0 }) => (type === lossAt ? packetsLost : 0)),
      frames: top?.framesDecoded ?? top?.framesEncoded ?? 0,
      framesDropped: top?.framesDropped ?? 0,
      framesPerSecond: top?.framesPerSecond ?? 0,
      frameWidth: top?.frameWidth ?? 0,
      frameHeight: top?.frameHeight ?? 0,
      freezes: top?.freezeCount ?? 0,
      layers:
        this.#direction === 'inbound-rtp'
          ? []
          : videos.toSorted((a, b) => layerOf(a) - layerOf(b)).map(sentLayer),
      limitedBy: videos
        .map(({ qualityLimitationReason }) => qualityLimitationReason)
        .find((reason) => reason === 'cpu' || reason === 'bandwidth'),
    };
  }
}

/**
 * Where a layer stands among all; by its size where the browser does not say, which is none while it is not sent.
 * @param {Entry} entry
 */
const layerOf = ({ encodingIndex, frameHeight = 0 }) => encodingIndex ?? frameHeight;

/**
 * @param {Entry & { bitrate: number }} entry
 * @returns {SentLayer}
 */
const sentLayer = ({ rid, frameWidth = 0, frameHeight = 0, framesPerSecond = 0, bitrate }) => ({
  rid,
  width: frameWidth,
  height: frameHeight,
  framesPerSecond,
  bitrate,
});

/**
 * Bytes that came in, RTP and RTCP. A server that is there sends us one or the other.
 * @param {Iterable<Entry>} report
 */
export function bytesIn(report) {
  const entries = [...report];
  const transports = entries.filter(({ type, bytesReceived }) => type === 'transport' && bytesReceived);
  // Where the browser does not count by transport.
  const counted = transports.length > 0 ? transports : entries.filter(({ type }) => type === 'inbound-rtp');
  return sum(counted, ({ bytesReceived = 0 }) => bytesReceived);
}

/**
 * Our ICE user name on the way that media takes now, where the browser tells it.
 * @param {Iterable<Entry>} report
 */
export function usernameFragmentInUse(report) {
  const entries = [...report];
  const pair = selectedPair(entries);
  return entries.find(({ id }) => id === pair?.localCandidateId)?.usernameFragment;
}

/** @param {readonly Entry[]} entries */
function selectedPair(entries) {
  const transport = entries.find(({ selectedCandidatePairId }) => selectedCandidatePairId !== undefined);
  return entries.find(({ id }) => id === transport?.selectedCandidatePairId);
}

/**
 * @template Item
 * @param {readonly Item[]} items
 * @param {(item: Item) => number} value
 */
const sum = (items, value) => items.reduce((total, item) => total + value(item), 0);

/** Between statistics, in ms. */
export const STATS_INTERVAL = 1_000;

/**
 * @param {number} interval ms
 * @throws {RangeError} when it is not from 100 to 60,000.
 */
export function checkedInterval(interval) {
  if (interval >= 100 && interval <= 60_000) return interval;
  throw new RangeError(`statsInterval is ${interval}; it must be from 100 to 60,000 ms`);
}
