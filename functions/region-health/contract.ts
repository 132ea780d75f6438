// What a region's stack must know of region-health: how often it is to run, and the line that an alarm counts.

/** Milliseconds between checks. */
export const CHECK_INTERVAL = 60_000;

/** Said at each check at which a group has no node that can take a session. */
export const CANNOT_SERVE = 'the region cannot take sessions';
