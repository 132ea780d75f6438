// The claims of a stream after something was told of them: a region's replica may show it only later.

import { setTimeout as sleep } from 'node:timers/promises';
import { isHeld, type OriginClaim, type StreamClaims } from '#routing/claims.ts';
import type { StreamMap } from '#routing/stream-map.ts';

/** Between two reads, ms, doubling; and for how long: replicas are usually a second behind, and in trouble a node's own checks go on. */
const AGAIN = { first: 50, most: 1_000, until: 10_000 };

/**
 * Reads the claims once, and again for as long as they do not show what was told.
 * @param told a claim as it is said to stand; undefined: one read will do.
 * @throws what the map's read throws.
 */
export async function* claimsSince(
  streamMap: StreamMap,
  stream: string,
  told: OriginClaim | undefined,
  signal: AbortSignal,
): AsyncGenerator<StreamClaims> {
  const until = performance.now() + AGAIN.until;
  for (let pause = AGAIN.first; !signal.aborted; pause = Math.min(AGAIN.most, 2 * pause)) {
    const claims = await streamMap.read(stream, { consistent: true });
    yield claims;
    if (told === undefined || shows(claims, told) || performance.now() > until) return;
    await sleep(pause, undefined, { signal }).catch(() => undefined);
  }
}

/** Whether the claims are as new as what was told of one of them. */
function shows({ origins }: StreamClaims, told: OriginClaim): boolean {
  const shown = origins.find(({ region, priority }) => region === told.region && priority === told.priority);
  if (shown === undefined || shown.epoch < told.epoch) return false;
  if (shown.epoch > told.epoch || !isHeld(shown)) return true;
  return isHeld(told) && (shown.yields === true) === (told.yields === true);
}
