// Meridian's client for web pages: a WHEP player and a WHIP publisher.
// @ts-check

/** @typedef {import('./server-event.js').ServerEvent} ServerEvent */
/** @typedef {import('./whep-player.js').LayerChoice} LayerChoice */
/** @typedef {import('./whep-player.js').PlayerOptions} PlayerOptions */
/** @typedef {import('./whep-player.js').PlayerState} PlayerState */
/** @typedef {import('./whep-player.js').PlayerStats} PlayerStats */
/** @typedef {import('./whip-publisher.js').PublisherOptions} PublisherOptions */
/** @typedef {import('./whip-publisher.js').PublisherState} PublisherState */
/** @typedef {import('./whip-publisher.js').PublisherStats} PublisherStats */

export { Refused, Unreachable } from './errors.js';
export { WhepPlayer } from './whep-player.js';
export { WhipPublisher } from './whip-publisher.js';
