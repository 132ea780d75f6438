// Meridian's client for web pages: a WHEP player and a WHIP publisher.
// @ts-check

export { Refused, Unreachable } from './errors.js';
export { WhepPlayer } from './whep-player.js';
export { WhipPublisher } from './whip-publisher.js';
