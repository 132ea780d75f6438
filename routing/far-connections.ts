// Connections to regions far away: Node gives each address of a name 250 ms, and some regions are further from each other.

import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net';

/** Milliseconds for one address: more than a round trip between any two regions (local/dns/inter-region-latency.ts). */
const ATTEMPT = 1_000;

/** For all connections of this process from now on. */
export const allowFarConnections = (): void => setDefaultAutoSelectFamilyAttemptTimeout(ATTEMPT);
