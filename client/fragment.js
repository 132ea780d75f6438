// ICE in SDP: the fragments that a session's PATCH carries (RFC 8840), and descriptions with new ICE credentials.
// @ts-check

/**
 * @typedef {object} IceParameters
 * @property {string} usernameFragment
 * @property {string} password
 * @property {readonly string[]} candidates lines as `candidate:…`
 */

/**
 * A description's credentials and candidates as a fragment. With BUNDLE they are those of its first section
 * (RFC 9725 section 4.3).
 * @param {string} sdp
 * @returns {string}
 */
export function writeFragment(sdp) {
  const { usernameFragment, password, candidates } = readIce(sdp);
  const lines = linesOf(sdp);
  /** @param {string} start */
  const first = (start) => lines.filter((line) => line.startsWith(start)).slice(0, 1);
  return text([
    ...first('a=group:BUNDLE'),
    ...first('m='),
    ...first('a=mid:'),
    `a=ice-ufrag:${usernameFragment}`,
    `a=ice-pwd:${password}`,
    ...candidates.map((candidate) => `a=${candidate}`),
    'a=end-of-candidates',
  ]);
}

/**
 * Reads what a fragment, or a description, says of ICE.
 * @param {string} sdp
 * @returns {IceParameters}
 * @throws Error when it has no credentials.
 */
export function readIce(sdp) {
  const lines = linesOf(sdp);
  /** @param {string} start */
  const value = (start) => lines.find((line) => line.startsWith(start))?.slice(start.length);
  const usernameFragment = value('a=ice-ufrag:');
  const password = value('a=ice-pwd:');
  if (!usernameFragment || !password) throw new Error('the SDP has no a=ice-ufrag and a=ice-pwd');
  const candidates = [
    ...new Set(lines.filter((line) => line.startsWith('a=candidate:')).map((line) => line.slice(2))),
  ];
  return { usernameFragment, password, candidates };
}

/**
 * The server's description after an ICE restart, as the answer to our new offer: what it was, with new credentials and
 * candidates.
 * @param {string} sdp the server's answer, or its counter-offer
 * @param {IceParameters} ice
 * @returns {string}
 */
export function withIce(sdp, { usernameFragment, password, candidates }) {
  // They stand in the section that carries the bundle: the first.
  const tagged = linesOf(sdp).find((line) => line.startsWith('a=mid:'));
  return text(
    linesOf(sdp).flatMap((line) => {
      if (line.startsWith('a=candidate:') || line === 'a=end-of-candidates') return [];
      if (line.startsWith('a=ice-ufrag:')) return [`a=ice-ufrag:${usernameFragment}`];
      if (line.startsWith('a=ice-pwd:')) return [`a=ice-pwd:${password}`];
      if (line === tagged) {
        return [line, ...candidates.map((candidate) => `a=${candidate}`), 'a=end-of-candidates'];
      }
      // Whose offer we took is passive, for we chose to be active (RFC 8842 section 5.3).
      if (line === 'a=setup:actpass') return ['a=setup:passive'];
      return [line];
    }),
  );
}

/**
 * Whether it says `a=ice-lite` (RFC 8445 section 2.5): such a server answers our checks, and needs no candidates of ours.
 * @param {string} sdp
 */
export const isIceLite = (sdp) => linesOf(sdp).includes('a=ice-lite');

/** @param {string} sdp */
const linesOf = (sdp) => sdp.split(/\r?\n/).filter((line) => line !== '');

/** @param {readonly string[]} lines */
const text = (lines) => `${lines.join('\r\n')}\r\n`;
