// What must hold: always, whatever happens next; and once all has come to rest.

import { isHeld, regionClaimOf } from '#routing/claims.ts';
import { isBroken, isKept, isWanted, legOf } from './legs.ts';
import { isSameItem, readClaims } from './replicas.ts';
import { nodeAt, type State, sessionAt } from './state.ts';
import { violation } from './violation.ts';
import type { World } from './world.ts';

/** What a node's source leads to, upwards; ends at a node without a leg. */
function chainOf(state: State, from: number): readonly number[] {
  const chain = [from];
  for (let at = from; ; ) {
    const { alive, source } = nodeAt(state, at);
    if (!alive || source?.kind !== 'leg' || nodeAt(state, source.parent).life !== source.life) return chain;
    at = source.parent;
    if (chain.includes(at)) violation(`a loop of legs through nodes ${[...chain, at].join(' <- ')}`);
    chain.push(at);
  }
}

/** At every moment. That writes stay in their region and epochs rise, replicas.ts sees to. */
export function checkAlways(world: World, state: State): void {
  for (const [index, { children }] of state.nodes.entries()) {
    chainOf(state, index);
    const here = world.spec(index).region;
    const regions = children.map(({ node }) => world.spec(node).region).filter((region) => region !== here);
    if (new Set(regions).size < regions.length)
      violation(`${world.spec(index).nodeId} feeds two legs into one region`);
  }
}

/** At rest: nothing is on its way, and nobody has anything to do. */
export function checkAtRest(world: World, state: State): void {
  const active = checkOrigins(world, state);
  for (const region of world.setup.regions) checkRegion(world, state, region, active?.region);
  for (const [index] of state.nodes.entries()) checkNode(world, state, index, active?.node);
}

/** @returns the active origin that all regions agree on. */
function checkOrigins(world: World, state: State): { region: string; node: number } | undefined {
  const connected = state.sessions.flatMap((session, index) =>
    session.phase === 'to-come' || session.phase === 'over' ? [] : [{ ...session, index }],
  );
  const seen = world.setup.regions.map((region) => world.rules.activeOrigin(readClaims(state.map, region)));
  const [active] = seen;
  if (new Set(seen.map((claim) => JSON.stringify(claim))).size > 1)
    violation('the regions see different active origins');
  const priorities = connected.map(({ claim }) => claim?.priority);
  if (connected.some(({ phase }) => phase !== 'held')) violation('a connected publisher has no claim');
  if (new Set(priorities).size < priorities.length) violation('two publishers of one priority stay');
  if (connected.length === 0) {
    if (active !== undefined) violation('a stream without a publisher is live');
    return undefined;
  }
  if (active === undefined) return violation('a publisher is connected, and no origin is active');
  const node = world.living(state, active);
  const holder = connected.find(({ claim }) => claim?.epoch === active.epoch && isSameItem(claim, active));
  if (node === undefined || holder === undefined) return violation('the active origin is nobody');
  if (connected.filter((session) => session.active).length !== 1 || !holder.active)
    violation('not exactly the active origin thinks that it is');
  const heard = connected.filter(({ flow }) => flow === 'steady').map(({ claim }) => claim?.priority ?? -1);
  if (heard.length > 0 && holder.claim?.priority !== Math.max(...heard))
    violation('the stream does not come from the first of the publishers that send');
  const { source } = nodeAt(state, node);
  if (source?.kind !== 'publisher' || source.session !== holder.index)
    violation('the active origin does not feed its node');
  return { region: active.region, node };
}

function checkRegion(world: World, state: State, region: string, originRegion: string | undefined): void {
  const { origins, regions } = readClaims(state.map, region);
  for (const claim of [...origins, ...regions]) {
    if (isHeld(claim) && world.living(state, claim) === undefined)
      violation(`${claim.nodeId} is dead and holds a claim`);
  }
  const crossing = state.nodes.flatMap(({ alive, source }, index) =>
    alive && source?.kind === 'leg' && source.crossing && world.spec(index).region === region
      ? [{ index, source }]
      : [],
  );
  // Without an origin nothing comes over a leg: who lost the role keeps it until there is one, or the grace ends.
  if (crossing.length > 1 && originRegion !== undefined)
    violation(`${crossing.length} legs cross into ${region}`);
  const [leg] = crossing;
  if (leg && region === originRegion) violation(`a leg crosses into ${region}, where the origin is`);
  const claim = regionClaimOf({ stream: '', origins, regions }, region);
  const holder = claim && isHeld(claim) ? world.living(state, claim) : undefined;
  if (originRegion === undefined) return;
  if (leg?.index !== holder) violation(`the claim of ${region} and the leg into it are not one node's`);
  if (leg && leg.source.epoch !== claim?.epoch)
    violation(`the leg into ${region} and its claim differ in epoch`);
}

function checkNode(world: World, state: State, index: number, origin: number | undefined): void {
  const { alive, viewers, drain, source, children, pull, claim, releases } = nodeAt(state, index);
  const { nodeId } = world.spec(index);
  if (releases.length > 0) violation(`${nodeId} never releases`);
  if (!alive) return;
  if (children.some((child) => !isKept(state, index, child)))
    violation(`${nodeId} feeds a child that has gone`);
  const leg = legOf(state, index);
  if (leg && isBroken(state, leg)) violation(`${nodeId} has a leg that nobody feeds`);
  if (source?.kind === 'publisher' && !sessionAt(state, source.session).active)
    violation(`${nodeId} is fed by a publisher that is not active`);
  if (!isWanted(state, index) && (leg || pull)) violation(`${nodeId} pulls for nobody`);
  if (origin === undefined) return;
  // Its viewers have been sent away by now.
  if (drain !== 'serving' && claim) violation(`${nodeId} is to end and keeps its region's role`);
  const wanted = viewers || children.length > 0;
  if (wanted && chainOf(state, index).at(-1) !== origin)
    violation(`${nodeId} is watched and not fed by the active origin`);
}

/** When publishers and viewers have gone. */
export function checkEmpty(world: World, state: State): void {
  for (const region of world.setup.regions) {
    const { origins, regions } = readClaims(state.map, region);
    const [held] = [...origins, ...regions].filter(isHeld);
    if (held) violation(`${held.nodeId} holds a claim of a stream that is over`);
  }
  for (const [index, { source, pull, children, releases }] of state.nodes.entries()) {
    if (source || pull || children.length + releases.length > 0)
      violation(`${world.spec(index).nodeId} keeps something of a stream that is over`);
  }
}
