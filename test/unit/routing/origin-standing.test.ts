// What an origin is to its stream and when it yields: tables, and what must hold for whatever claims there are.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { activeOrigin, isHeld, type OriginClaim } from '#routing/claims.ts';
import { newOriginClaim, originStanding, shouldYield, type YieldRules } from '#routing/origin-standing.ts';
import { claimsOf, originClaim, originClaims } from './samples.ts';

const main = originClaim({ priority: 5, nodeId: 'i-main' });
const backup = originClaim({ priority: 1, nodeId: 'i-backup', region: 'eu-west-1' });
const released = { releasedAt: 1 };

it.each<[string, OriginClaim[], OriginClaim, string]>([
  ['alone', [main], main, 'active'],
  ['above another', [main, backup], main, 'active'],
  ['below another', [main, backup], backup, 'standby'],
  ['below one that was released', [{ ...main, ...released }, backup], backup, 'active'],
  ['below one that yields', [{ ...main, yields: true }, backup], backup, 'active'],
  ['yielding to one below', [{ ...main, yields: true }, backup], main, 'standby'],
  ['yielding to nobody', [{ ...main, yields: true }], main, 'active'],
  [
    'the higher where both yield',
    [main, backup].map((claim) => ({ ...claim, yields: true })),
    main,
    'active',
  ],
  ['released by others', [{ ...main, ...released }], main, 'gone'],
  ['not in the map', [backup], main, 'gone'],
  ['replaced by its own next epoch', [{ ...main, epoch: 2 }], main, 'superseded'],
  [
    'replaced by a newer one elsewhere',
    [main, { ...main, region: 'us-west-2', epoch: 2 }],
    main,
    'superseded',
  ],
  ['replaced by a newer one that yields', [main, { ...main, epoch: 2, yields: true }], main, 'superseded'],
  [
    'newer than another of its priority',
    [
      { ...main, region: 'us-west-2' },
      { ...main, epoch: 2 },
    ],
    { ...main, epoch: 2 },
    'active',
  ],
  ['beside an older start of its node', [{ ...main, incarnation: 'origin-start-0' }], main, 'gone'],
  [
    'beside a newer one that was released',
    [main, { ...main, region: 'us-west-2', epoch: 2, ...released }],
    main,
    'active',
  ],
])('an origin %s', (_, claims, mine, standing) => {
  expect(originStanding(claimsOf(claims), mine)).toBe(standing);
});

/** Claims as the table can hold them, some of them yielding, each by a node of its own region. */
const yielding = originClaims.chain((claims) =>
  fc.array(fc.boolean(), { minLength: claims.length, maxLength: claims.length }).map((yields) =>
    claims.map(
      (claim, n): OriginClaim => ({
        ...claim,
        nodeId: `${claim.nodeId}-${claim.region}`,
        ...(yields[n] === true ? { yields: true } : {}),
      }),
    ),
  ),
);

it('of origins that see the same claims exactly one is active, where any is held, and it is the active origin', () => {
  fc.assert(
    fc.property(yielding, (origins) => {
      const claims = claimsOf(origins);
      const active = origins.filter((mine) => originStanding(claims, mine) === 'active');
      // One that steps down for a newer one of its priority is not told `active` but goes: then its rival is.
      const first = activeOrigin(claims);
      const leaves = first !== undefined && originStanding(claims, first) === 'superseded';
      expect(active).toEqual(first === undefined || leaves ? [] : [first]);
    }),
  );
});

it('when those that must step down have gone exactly one is active', () => {
  fc.assert(
    fc.property(yielding, (origins) => {
      const all = claimsOf(origins);
      const staying = origins.filter((mine) => isHeld(mine) && originStanding(all, mine) !== 'superseded');
      const active = staying.filter((mine) => originStanding(claimsOf(staying), mine) === 'active');
      expect(active).toHaveLength(origins.some(isHeld) ? 1 : 0);
    }),
  );
});

it('none is gone that the map shows as held, and none is anything else that it does not', () => {
  fc.assert(
    fc.property(yielding, (origins) => {
      for (const mine of origins) {
        const standing = originStanding(claimsOf(origins), mine);
        if (isHeld(mine)) expect(standing).not.toBe('gone');
        else expect(['gone', 'superseded']).toContain(standing);
      }
    }),
  );
});

const holderOf = ({ epoch, yields, releasedAt, ...holder }: OriginClaim) => holder;

it.each<[string, OriginClaim[], number, true | undefined]>([
  ['nobody', [], 5, undefined],
  ['one of a higher priority', [main], 1, undefined],
  ['one of its own priority', [main], 5, undefined],
  ['one of a lower priority', [backup], 5, true],
  ['one of a lower priority that yields', [{ ...backup, yields: true }], 5, undefined],
  ['one of a lower priority that was released', [{ ...backup, ...released }], 5, undefined],
  ['a lower one that carries it for a higher one that yields', [{ ...main, yields: true }, backup], 3, true],
])('a claim beside %s', (_, origins, priority, yields) => {
  const claim = newOriginClaim(claimsOf(origins), { ...holderOf(main), region: 'ap-southeast-1', priority });
  expect(claim.yields).toBe(yields);
  expect(claim).not.toHaveProperty('releasedAt');
});

it('a new claim is newer than all, and never takes the stream from a lower one that carries it', () => {
  fc.assert(
    fc.property(yielding, fc.integer({ min: 0, max: 3 }), (origins, priority) => {
      const before = activeOrigin(claimsOf(origins));
      const claim = newOriginClaim(claimsOf(origins), { ...holderOf(main), region: 'eu-west-1', priority });
      expect(origins.every(({ epoch }) => epoch < claim.epoch)).toBe(true);
      const others = origins.filter((other) => other.region !== claim.region || other.priority !== priority);
      const after = activeOrigin(claimsOf([...others, claim]));
      if (before && before.yields !== true && before.priority < priority) expect(after).toBe(before);
    }),
  );
});

const rules: YieldRules = { publisherSilence: 300, failbackAfter: 3_000, failback: true };
const sending = { silentFor: 0, steadyFor: 60_000 };
const silent = { silentFor: 300, steadyFor: 60_000 };
const returned = { silentFor: 0, steadyFor: 2_999 };
const noFailback = { ...rules, failback: false };
const away = (claim: OriginClaim): OriginClaim => ({ ...claim, yields: true });

it.each<[string, OriginClaim[], OriginClaim, typeof sending, YieldRules, boolean]>([
  ['sends', [main, backup], main, sending, rules, false],
  ['is not silent for long enough', [main, backup], main, { ...sending, silentFor: 299 }, rules, false],
  ['is silent beside another', [main, backup], main, silent, rules, true],
  ['is silent alone', [main], main, silent, rules, false],
  ['is silent beside one that yields', [main, away(backup)], main, silent, rules, true],
  ['is silent beside one that was released', [main, { ...backup, ...released }], main, silent, rules, false],
  ['stands by and is silent', [main, backup], backup, silent, rules, true],
  ['goes on being silent', [away(main), backup], away(main), silent, rules, true],
  ['is back but not steady', [away(main), backup], away(main), returned, rules, true],
  ['is back and steady', [away(main), backup], away(main), { ...returned, steadyFor: 3_000 }, rules, false],
  ['is back without failback', [away(main), backup], away(main), sending, noFailback, true],
  ['is back below another without failback', [main, away(backup)], away(backup), sending, noFailback, false],
  ['is back and alone', [away(main)], away(main), returned, noFailback, false],
  ['is back where all others yield', [away(main), away(backup)], away(main), returned, noFailback, false],
  ['is silent where all others yield', [away(main), away(backup)], away(main), silent, rules, true],
  [
    'is back where the other was released',
    [away(main), { ...backup, ...released }],
    away(main),
    returned,
    noFailback,
    false,
  ],
  [
    'failbackAfter is 0',
    [away(main), backup],
    away(main),
    { ...returned, steadyFor: 0 },
    { ...rules, failbackAfter: 0 },
    false,
  ],
])('whether an origin yields that %s', (_, claims, mine, flow, given, yields) => {
  expect(shouldYield(claimsOf(claims), mine, flow, given)).toBe(yields);
});

const flows = fc.record({
  silentFor: fc.integer({ min: 0, max: 1_000 }),
  steadyFor: fc.integer({ min: 0, max: 6_000 }),
});

it('a publisher alone begins to yield for nothing', () => {
  fc.assert(
    fc.property(yielding, flows, fc.boolean(), (origins, flow, failback) => {
      const others = origins
        .filter(({ region, priority }) => region !== main.region || priority !== main.priority)
        .map((claim) => (isHeld(claim) ? { ...claim, ...released } : claim));
      expect(shouldYield(claimsOf([main, ...others]), main, flow, { ...rules, failback })).toBe(false);
    }),
  );
});

/** Two publishers and what each of them does, look by look, as their nodes act on it: both see the same claims. */
function carriers(
  looks: readonly { sends: readonly [boolean, boolean] }[],
  given: YieldRules,
): (string | undefined)[] {
  let claims = [main, backup];
  const flow = [main, backup].map(() => ({ silentFor: 0, steadyFor: 60_000 }));
  return looks.map(({ sends }) => {
    claims = claims.map((mine, n) => {
      const state = flow[n] ?? sending;
      const wasSilent = state.silentFor >= given.publisherSilence;
      if (sends[n] === true) {
        state.steadyFor = wasSilent ? 0 : state.steadyFor + 100;
        state.silentFor = 0;
      } else {
        state.silentFor += 100;
        state.steadyFor += 100;
      }
      return { ...mine, yields: shouldYield(claimsOf(claims), mine, state, given) };
    });
    return activeOrigin(claimsOf(claims))?.nodeId;
  });
}
const times = (count: number, ...sends: [boolean, boolean]) =>
  Array.from({ length: count }, () => ({ sends }));
const changes = (carrying: readonly (string | undefined)[]) =>
  carrying.filter((nodeId, n) => n > 0 && nodeId !== carrying[n - 1]).length;

it('a publisher that comes and goes moves the stream once there and once back', () => {
  const flapping = Array.from({ length: 10 }, () => [
    ...times(4, false, true),
    ...times(20, true, true),
  ]).flat();
  const carrying = carriers([...times(5, true, true), ...flapping, ...times(40, true, true)], rules);
  expect(changes(carrying)).toBe(2);
  expect(carrying.at(-1)).toBe('i-main');
  expect(
    changes(carriers([...times(5, true, true), ...flapping, ...times(40, true, true)], noFailback)),
  ).toBe(1);
});

it('whatever two publishers did, one that sends steadily carries the stream while the other is silent', () => {
  const phases = fc.array(
    fc
      .tuple(fc.integer({ min: 1, max: 8 }), fc.boolean(), fc.boolean())
      .map(([count, ...sends]) => times(count, ...sends)),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(phases, fc.boolean(), fc.boolean(), (before, mainSends, failback) => {
      const after = times(45, mainSends, !mainSends);
      const carrying = carriers([...before.flat(), ...after], { ...rules, failback });
      expect(carrying.at(-1)).toBe(mainSends ? 'i-main' : 'i-backup');
    }),
  );
});
