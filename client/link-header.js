// Link headers (RFC 8288): where a WHIP or WHEP answer names ICE servers and extensions.
// @ts-check

/**
 * @typedef {object} Link
 * @property {string} target absolute where `base` was given
 * @property {readonly string[]} rel
 * @property {Readonly<Record<string, string>>} parameters names in lower case; `rel` among them
 */

const VALUE = String.raw`"(?:[^"\\]|\\.)*"|[^\s",;]+`;
const NAME = String.raw`[^\s"(),/:;<=>?@[\\\]{}]+`;
const LINK = new RegExp(String.raw`<([^>]*)>((?:\s*;\s*${NAME}(?:\s*=\s*(?:${VALUE}))?)*)`, 'g');
const PARAMETER = new RegExp(String.raw`;\s*(${NAME})(?:\s*=\s*(${VALUE}))?`, 'g');

/**
 * @param {string | null} header as `Headers.get` gives it: several are joined by commas
 * @param {string} [base] what relative targets are relative to
 * @returns {Link[]} what cannot be read is left out
 */
export function readLinks(header, base) {
  return [...(header ?? '').matchAll(LINK)].flatMap(([, target = '', rest = '']) => {
    if (!URL.canParse(target, base)) return [];
    /** @type {Record<string, string>} */
    const parameters = {};
    for (const [, name = '', value = ''] of rest.matchAll(PARAMETER)) {
      // RFC 8288 section 3.3: of several the first counts.
      parameters[name.toLowerCase()] ??= value.startsWith('"')
        ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1')
        : value;
    }
    const rel = (parameters.rel ?? '').split(/\s+/).filter(Boolean);
    return [{ target: new URL(target, base).href, rel, parameters }];
  });
}

/**
 * The STUN and TURN servers among them (RFC 9725 section 4.6).
 * @param {readonly Link[]} links
 * @returns {RTCIceServer[]}
 */
export const iceServers = (links) =>
  links
    .filter(({ rel }) => rel.includes('ice-server'))
    .map(({ target, parameters: { username, credential } }) => ({
      urls: target,
      ...(username === undefined ? {} : { username }),
      ...(credential === undefined ? {} : { credential }),
    }));
