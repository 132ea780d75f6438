// What flows through a connection: picture size, frame rate and bitrate, from the browser's own statistics.
// @ts-check

/**
 * @typedef {object} Reading
 * @property {string} picture e.g. `960×540, 30 fps`; empty without video
 * @property {number} bitrate bits per second since the reading before
 */

/** One entry of a statistics report, as far as it is read here. */
/** @typedef {RTCInboundRtpStreamStats & RTCOutboundRtpStreamStats} Flow */

/** How often it is read, in ms. */
const INTERVAL = 1_000;

/**
 * Reads the connection each second until `signal` aborts.
 * @param {RTCPeerConnection} peer
 * @param {{ direction: 'inbound-rtp' | 'outbound-rtp', signal: AbortSignal, onReading: (reading: Reading) => void }} options
 */
export function measure(peer, { direction, signal, onReading }) {
  let before = { bytes: 0, at: performance.now() };
  const timer = setInterval(async () => {
    const report = await peer.getStats();
    if (signal.aborted) return;
    let bytes = 0;
    let picture = '';
    for (const entry of report.values()) {
      const flow = /** @type {Flow} */ (entry);
      if (flow.type !== direction) continue;
      bytes += (direction === 'inbound-rtp' ? flow.bytesReceived : flow.bytesSent) ?? 0;
      if (flow.kind === 'video' && flow.frameWidth) {
        picture = `${flow.frameWidth}×${flow.frameHeight}, ${Math.round(flow.framesPerSecond ?? 0)} fps`;
      }
    }
    const at = performance.now();
    const bitrate = Math.max(0, ((bytes - before.bytes) * 8000) / (at - before.at));
    before = { bytes, at };
    onReading({ picture, bitrate });
  }, INTERVAL);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
