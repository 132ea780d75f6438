// What a run of chaos is told on a command line.

/** A day. */
const MOST_MINUTES = 1_440;
/** 31 bits. */
const MOST_SEED = 0x7fff_ffff;

/** @throws Error when it is no number of minutes. */
export function minutesFrom(text: string): number {
  const minutes = Number(text);
  if (!(minutes > 0 && minutes <= MOST_MINUTES))
    throw new Error(`--minutes ${text}: a number above 0, at most ${MOST_MINUTES}`);
  return minutes;
}

/** @throws Error when it is no seed. */
export function seedFrom(text: string): number {
  const seed = Number(text);
  if (!/^\d+$/.test(text) || seed > MOST_SEED)
    throw new Error(`--seed ${text}: a whole number from 0 to ${MOST_SEED}`);
  return seed;
}
