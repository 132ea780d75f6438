// Where a player goes that its server tells to reconnect.
// @ts-check

/**
 * The server knows its endpoint, not what the page asked of it: `?maxHeight=90` or `?token=…` goes along, unless the
 * server names a value of its own.
 * @param {unknown} url that the server names, if any
 * @param {string} first where the player went at first; may be relative to the page
 * @returns {string} `first` where the server names no http or https URL
 */
export function reconnectUrl(url, first) {
  if (typeof url !== 'string' || !/^https?:/.test(url) || !URL.canParse(url)) return first;
  const next = new URL(url);
  const named = new Set(next.searchParams.keys());
  for (const [name, value] of new URL(first, globalThis.document?.baseURI).searchParams) {
    if (!named.has(name)) next.searchParams.append(name, value);
  }
  return next.href;
}
