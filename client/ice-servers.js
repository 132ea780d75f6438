// Gives a peer connection the STUN and TURN servers that a server named, as far as the browser takes them.
// @ts-check

/**
 * One that the browser refuses, as a `turn:` without credentials (InvalidAccessError) or a `stun:` with a query
 * (SyntaxError), costs nothing but itself: most connections need none of them. Who is refused is for the browser to say
 * (W3C webrtc, `setConfiguration`), and a configuration that is refused changes nothing.
 * @param {Pick<RTCPeerConnection, 'setConfiguration'>} peer
 * @param {readonly RTCIceServer[]} servers
 */
export function useIceServers(peer, servers) {
  /** @type {RTCIceServer[]} */
  let taken = [];
  for (const server of servers) {
    const more = [...taken, server];
    try {
      peer.setConfiguration({ iceServers: more });
      taken = more;
    } catch (error) {
      console.warn(`The ICE server ${server.urls} cannot be used: ${error}`);
    }
  }
}
