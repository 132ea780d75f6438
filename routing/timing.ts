// Every duration that the parts agree on, with its default and the environment variable that changes it.

import * as z from 'zod';

function milliseconds(fallback: number, min: number, max: number) {
  const range = { error: `a whole number of milliseconds from ${min} to ${max}` };
  return z.coerce.number(range).int(range).min(min, range).max(max, range).default(fallback);
}

/** All in milliseconds. Where no source is named the default is our own choice. */
const timingSchema = z.object({
  /** How often a node writes its item. */
  heartbeat: milliseconds(1_000, 100, 60_000),
  /** How old a node's heartbeat may be before the node counts as dead: three missed beats. */
  nodeDeadAfter: milliseconds(3_000, 300, 600_000),
  /** How often a node sends its pulse down every leg. */
  legPulse: milliseconds(100, 20, 10_000),
  /** How long a leg may be silent before its child looks for another parent (OvenMediaEngine waits 3 s). */
  legSilence: milliseconds(300, 60, 60_000),
  /** How long a node may take to answer a probe of its control port. */
  probe: milliseconds(300, 20, 10_000),
  /** How long a region keeps a pulled stream that nobody watches (OvenMediaEngine's default). */
  unusedStreamTimeout: milliseconds(60_000, 100, 86_400_000),
  /** How long no packet of a publisher may come until it yields to a redundant one (OvenMediaEngine waits 3 s). */
  publisherSilence: milliseconds(300, 100, 60_000),
  /** How long a publisher of a higher priority must be steady until the stream comes from it again (OvenMediaEngine's). */
  failbackAfter: milliseconds(3_000, 0, 600_000),
  /** How long viewers and legs outlive a publisher that went away. */
  publisherGrace: milliseconds(30_000, 0, 3_600_000),
  /** How long a session may take from its answer to connected media. */
  connect: milliseconds(10_000, 500, 120_000),
  /** ICE consent: how long a peer may be silent (RFC 7675 says 30 s; a vanished viewer must not cost that long). */
  iceConsent: milliseconds(10_000, 1_000, 60_000),
  /** How long one call between nodes, functions and regions may take. */
  call: milliseconds(3_000, 100, 30_000),
  /** How long warm functions and nodes reuse what they read of the stream map and the node list. */
  routeCache: milliseconds(500, 0, 60_000),
  /** How long a node that drains waits for its sessions to leave; 0 ends them at once. */
  drain: milliseconds(1_800_000, 0, 7_200_000),
  /** How often an origin re-reads its stream's claims to learn that it was superseded unnoticed. */
  claimCheck: milliseconds(1_000, 100, 60_000),
  /** How often somebody in a region looks for claims that its dead nodes left. */
  claimSweep: milliseconds(2_000, 100, 600_000),
});

export type Timing = z.infer<typeof timingSchema>;

/** The environment variable for a timing, e.g. `unusedStreamTimeout` → `MERIDIAN_UNUSED_STREAM_TIMEOUT_MS`. */
export const timingVariable = (name: string): string =>
  `MERIDIAN_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}_MS`;

/**
 * Reads the timings from the environment.
 * @throws Error naming the variable, its value and the range when one is not usable.
 */
export function timingFrom(environment: NodeJS.ProcessEnv): Timing {
  const given: Record<string, string> = {};
  for (const name of Object.keys(timingSchema.shape)) {
    const value = environment[timingVariable(name)];
    if (value !== undefined && value !== '') given[name] = value;
  }
  const parsed = timingSchema.safeParse(given);
  if (parsed.success) {
    const { heartbeat, nodeDeadAfter, legPulse, legSilence } = parsed.data;
    if (nodeDeadAfter <= heartbeat) throw longer('nodeDeadAfter', 'heartbeat');
    if (legSilence <= legPulse) throw longer('legSilence', 'legPulse');
    // Else a parent would give its child up between two beats.
    if (nodeDeadAfter <= 2 * legPulse) throw longer('nodeDeadAfter', 'legPulse', 'twice ');
    return parsed.data;
  }
  const wrong = parsed.error.issues.map((issue) => {
    const variable = timingVariable(String(issue.path[0]));
    return `${variable}=${environment[variable] ?? ''}: ${issue.message}`;
  });
  throw new Error(`wrong timing in the environment: ${wrong.join('; ')}`);
}

const longer = (longName: string, shortName: string, times = ''): Error =>
  new Error(
    `wrong timing in the environment: ${timingVariable(longName)} must be more than ${times}${timingVariable(shortName)}`,
  );
