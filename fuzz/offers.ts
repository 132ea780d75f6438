// Offers: those of clients in use, changed, to both endpoints of a stream that is live and to the publisher's of one that is not.

import fc from 'fast-check';
import { OFFERS, type OfferName, offerText } from '#test/unit/media-fleet/sdp/offers.ts';
import { type Mutation, mutate, mutations } from './mutations.ts';
import type { Scene, Use } from './scene.ts';
import { openSession, POSTED } from './sessions.ts';

export interface OfferCase {
  use: Use;
  region: number;
  offer: OfferName;
  /** Turned round where the offer is not of this end: a viewer's to WHIP, a publisher's to WHEP. */
  turned: boolean;
  /** Whether the stream is the one that is published and watched meanwhile. */
  live: boolean;
  /** WHEP: `Prefer: counter-offer`. */
  counterOffer: boolean;
  /** Whether a session that it opens is asked for an ICE restart before its end. */
  restarted: boolean;
  changes: Mutation[];
}

export const offerCases: fc.Arbitrary<OfferCase> = fc.record({
  use: fc.constantFrom('whip' as const, 'whep' as const),
  region: fc.nat(2),
  offer: fc.constantFrom(...OFFERS),
  turned: fc.boolean().map((not) => !not),
  live: fc.boolean(),
  counterOffer: fc.integer({ min: 0, max: 3 }).map((one) => one === 3),
  restarted: fc.boolean(),
  changes: mutations,
});

/** The offer as it is sent. */
export function offerOf({
  use,
  offer,
  turned,
  changes,
}: Pick<OfferCase, 'use' | 'offer' | 'turned' | 'changes'>): string {
  const text = offerText(offer);
  const [from, to] = use === 'whip' ? ['a=recvonly', 'a=sendonly'] : ['a=sendonly', 'a=recvonly'];
  return mutate(turned ? text.replaceAll(from, to) : text, changes);
}

/** @throws Error that says what was wrong with an answer. */
export async function attemptOffer(scene: Scene, given: OfferCase): Promise<void> {
  const { use, live, counterOffer, restarted } = given;
  const session = await openSession(scene, {
    entry: 'offers',
    use,
    region: given.region,
    // A viewer's stream is live, or there is nothing to match its offer with.
    stream: live || use === 'whep' ? scene.stream : scene.newStream(),
    offer: offerOf(given),
    counterOffer: counterOffer && use === 'whep',
    statuses: POSTED,
  });
  if (restarted) await session?.restart();
  await session?.end();
}
