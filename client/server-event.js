// What a server tells a player: an event's name and its data, read from whatever brought it.
// @ts-check

/** @typedef {{ event: string, data: unknown }} ServerEvent */

/**
 * @param {unknown} message of the data channel
 * @returns {ServerEvent | undefined} undefined: none of the kind that we know
 */
export function readEvent(message) {
  const read = typeof message === 'string' ? parseJson(message) : undefined;
  if (typeof read !== 'object' || read === null || !('event' in read)) return undefined;
  const { event } = read;
  return typeof event === 'string' ? { event, data: 'data' in read ? read.data : undefined } : undefined;
}

/**
 * @param {string} json
 * @returns {unknown} undefined: it is none
 */
export function parseJson(json) {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
