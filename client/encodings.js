// How a picture is sent: its simulcast layers, and how many bits each may have.
// @ts-check

/**
 * Layers and bitrates by the picture's shorter side: libwebrtc's own table (media/engine/simulcast.cc,
 * kSimulcastFormats). More layers than it has for a size libwebrtc would not send.
 */
const SIZES = [
  { side: 1080, layers: 3, bitrate: 5_000_000 },
  { side: 720, layers: 3, bitrate: 2_500_000 },
  { side: 540, layers: 3, bitrate: 900_000 },
  { side: 360, layers: 2, bitrate: 700_000 },
  { side: 270, layers: 2, bitrate: 450_000 },
  { side: 0, layers: 1, bitrate: 200_000 },
];

/** From the smallest to the largest, of which there is always one. */
const RIDS = ['l', 'm', 'h'];

/**
 * The encodings of a picture, smallest first: `h` as it is, `m` half as wide and high, `l` a quarter.
 * @param {{ width?: number | undefined, height?: number | undefined }} picture pixels; one of unknown size counts as 720p
 * @param {{ simulcast: boolean, maxBitrate: number | undefined }} options bits per second of all layers together
 * @returns {RTCRtpEncodingParameters[]}
 */
export function encodingsFor(
  { width = 1280, height = 720 },
  { simulcast, maxBitrate = Number.POSITIVE_INFINITY },
) {
  const side = Math.min(width, height);
  const count = simulcast ? sizeOf(side).layers : 1;
  const rids = RIDS.slice(RIDS.length - count);
  const encodings = rids.map((rid, index) => {
    const scaleResolutionDownBy = 2 ** (count - 1 - index);
    return { rid, scaleResolutionDownBy, maxBitrate: sizeOf(side / scaleResolutionDownBy).bitrate };
  });
  const all = encodings.reduce((sum, encoding) => sum + encoding.maxBitrate, 0);
  const share = Math.min(1, maxBitrate / all);
  return encodings.map(({ rid, ...encoding }) => ({
    // A lone encoding needs no name, and some servers take none.
    ...(count === 1 ? {} : { rid }),
    ...encoding,
    maxBitrate: Math.floor(encoding.maxBitrate * share),
  }));
}

/** @param {number} side pixels */
function sizeOf(side) {
  // Cameras give 1088 and 544 lines, and 719: a few lines do not make another size.
  const found = SIZES.find((size) => side >= size.side - 8);
  if (found === undefined) throw new Error(`a picture of ${side} lines`);
  return found;
}

/**
 * The codecs in the order that says which one is wanted; the others stay, for a server that has not got it.
 * @param {readonly RTCRtpCodec[]} codecs what the browser sends
 * @param {string} wanted as `video/H264` or `H264`, with parameters where they matter: `H264;profile-level-id=42e01f`
 * @returns {RTCRtpCodec[]}
 * @throws Error when the browser does not send it.
 */
export function preferring(codecs, wanted) {
  const [name = '', ...parameters] = wanted.toLowerCase().split(';');
  const mimeType = name.includes('/') ? name : `video/${name}`;
  /** @param {RTCRtpCodec} codec */
  const isWanted = (codec) =>
    codec.mimeType.toLowerCase() === mimeType &&
    parameters.every((parameter) =>
      (codec.sdpFmtpLine ?? '').toLowerCase().split(';').includes(parameter.trim()),
    );
  const first = codecs.filter(isWanted);
  if (first.length === 0) {
    const known = [...new Set(codecs.map((codec) => codec.mimeType))].join(', ');
    throw new Error(`This browser does not send ${wanted}; it sends ${known}.`);
  }
  return [...first, ...codecs.filter((codec) => !isWanted(codec))];
}
