// Frame numbers drawn into a picture and read back: proof that pictures arrive, not only packets.

/** An I420 picture: a luma plane and two chroma planes of a quarter its size each. */
export interface Picture {
  width: number;
  height: number;
  data: Uint8Array;
}

const BITS = 16;
/** A parity bit after the number tells a picture of ours from noise. */
const CELLS = BITS + 1;

/** Bright and dark bars, one for each bit, as high as the picture: survives encoding, scaling and loss of detail. */
export function drawFrameNumber(picture: Picture, number: number): void {
  const { width, height, data } = picture;
  data.fill(128, width * height);
  for (let cell = 0; cell < CELLS; cell += 1) {
    const bright = cell < BITS ? (number >> cell) & 1 : parity(number);
    const [from, to] = [Math.floor((cell * width) / CELLS), Math.floor(((cell + 1) * width) / CELLS)];
    for (let y = 0; y < height; y += 1) data.fill(bright ? 235 : 16, y * width + from, y * width + to);
  }
}

/** The number in a picture, or undefined when there is none. */
export function readFrameNumber({ width, height, data }: Picture): number | undefined {
  let number = 0;
  let check = 0;
  for (let cell = 0; cell < CELLS; cell += 1) {
    const x = Math.floor(((cell + 0.5) * width) / CELLS);
    const bright = (data[Math.floor(height / 2) * width + x] ?? 0) > 125 ? 1 : 0;
    if (cell < BITS) number |= bright << cell;
    else check = bright;
  }
  return check === parity(number) ? number : undefined;
}

function parity(number: number): number {
  let bits = number & 0xffff;
  let odd = 1;
  for (; bits > 0; bits &= bits - 1) odd ^= 1;
  return odd;
}
