// One stream in a few regions: every step that a node, a publisher, a viewer, the map or a fault can take next.
//
// Left out: media, time (a step is taken at any time, or late), the publisher's grace before all have left, and caches:
// readers read their region's replica. A node knows at once which nodes of its region live, but for the faults `suspect`
// and `misjudge`. Viewers stay for as long as their node, and leave one that drains late or when all comes to rest.

import type { CascadePlan } from '#routing/cascade-plan.ts';
import {
  isHeld,
  type OriginClaim,
  precedes,
  type RegionClaim,
  regionClaimOf,
  sameHolder,
} from '#routing/claims.ts';
import { type AskedLeg, placeOf } from '#routing/leg-places.ts';
import { isBroken, isKept, isWanted } from './legs.ts';
import {
  amendClaim,
  type Claim,
  deliver,
  isSameItem,
  putClaim,
  readClaims,
  STREAM,
  seenOrigin,
} from './replicas.ts';
import { type Rules, realRules } from './rules.ts';
import {
  BORN,
  type Budget,
  type Flow,
  type Leg,
  type Node,
  nodeAt,
  type Publishing,
  type Pull,
  type Setup,
  type State,
  sessionAt,
  withNode,
  withSession,
} from './state.ts';
import { known, violation } from './violation.ts';

export interface Action {
  readonly name: string;
  readonly next: State;
}

type Actions = Generator<Action, void, undefined>;

/** pull.ts and routing/parent-walk.ts: how deep a child is sent. */
const MAX_DEPTH = 6;
const LOOK: Pull = { step: 'look' };
const YIELD_RULES = { publisherSilence: 300, failbackAfter: 3_000, failback: true };
const FLOWS: Record<Flow, { silentFor: number; steadyFor: number }> = {
  steady: { silentFor: 0, steadyFor: 60_000 },
  silent: { silentFor: 60_000, steadyFor: 0 },
  unsteady: { silentFor: 0, steadyFor: 100 },
};

export class World {
  readonly setup: Setup;
  readonly rules: Rules;

  constructor(setup: Setup, changed: Partial<Rules> = {}) {
    this.setup = setup;
    this.rules = { ...realRules, ...changed };
  }

  /** What the system does by itself, one step of each kind and place. */
  *steps(state: State): Actions {
    yield* this.#deliveries(state);
    for (const [index] of this.setup.publishing.entries()) yield* this.#sessionSteps(state, index);
    for (const [index] of this.setup.nodes.entries()) yield* this.#nodeSteps(state, index);
    yield* this.#sweeps(state);
  }

  /** As {@link steps}, by who takes them. */
  turns(): ((state: State) => Actions)[] {
    const { publishing, nodes } = this.setup;
    return [
      ...publishing.map((_, index) => (state: State) => this.#sessionSteps(state, index)),
      (state: State) => this.#sweeps(state),
      ...nodes.map((_, index) => (state: State) => this.#nodeSteps(state, index)),
    ];
  }

  deliverAll(state: State): State {
    return { ...state, map: state.map.mail.reduce(deliver, state.map) };
  }

  /** What people and faults do: each may also never happen. */
  *events(state: State): Actions {
    const { nodes, publishing, mayCrash, mayDrain, mayJoin } = this.setup;
    for (const [index, attempt] of publishing.entries()) yield* this.#publisherEvents(state, index, attempt);
    for (const [index] of nodes.entries()) yield* this.#nodeEvents(state, index);
    for (const index of mayCrash) {
      const node = nodeAt(state, index);
      if (node.alive) yield* this.#spend(state, 'crash', this.#at(index), () => this.crash(state, index));
      else yield* this.#spend(state, 'restart', this.#at(index), () => this.restart(state, index));
    }
    for (const index of mayDrain) {
      const { alive, drain } = nodeAt(state, index);
      if (alive && drain === 'serving')
        yield* this.#spend(state, 'drain', this.#at(index), () => this.#handOver(state, index));
    }
    for (const index of mayJoin) {
      const { alive, viewers, drain } = nodeAt(state, index);
      if (alive && !viewers && drain === 'serving')
        yield* this.#spend(state, 'join', this.#at(index), () => this.join(state, index));
      if (viewers) yield* this.#spend(state, 'leave', this.#at(index), () => this.leave(state, index));
    }
  }

  crash(state: State, index: number): State {
    const { publishing } = this.setup;
    const { life } = nodeAt(state, index);
    const dead = withNode(state, index, { ...BORN, life, alive: false });
    return publishing.reduce((after, { node }, session) => {
      const { phase } = sessionAt(after, session);
      if (node !== index || phase === 'to-come' || phase === 'over') return after;
      return withSession(after, session, OVER);
    }, dead);
  }

  restart(state: State, index: number): State {
    return withNode(state, index, { ...BORN, life: nodeAt(state, index).life + 1 });
  }

  join(state: State, index: number): State {
    const { source, pull } = nodeAt(state, index);
    return withNode(state, index, { viewers: true, pull: source === null ? (pull ?? LOOK) : pull });
  }

  leave(state: State, index: number): State {
    return withNode(state, index, { viewers: false });
  }

  /** A drain's time is up: its viewers go to another node of their region that serves, where there is one. */
  sendAway(state: State, index: number): State {
    const { viewers } = nodeAt(state, index);
    const { region } = this.spec(index);
    const next = this.setup.nodes.findIndex((spec, at) => {
      const { alive, drain } = nodeAt(state, at);
      return spec.region === region && alive && drain === 'serving';
    });
    const after = this.leave(state, index);
    return viewers && next >= 0 && !nodeAt(after, next).viewers ? this.join(after, next) : after;
  }

  /** The publisher's session ends, by whatever it is. */
  unpublish(state: State, index: number): State {
    const { node } = known(this.setup.publishing[index], `publisher ${index}`);
    const { claim } = sessionAt(state, index);
    let after = withSession(state, index, OVER);
    if (claim) after = this.#releaseLater(after, node, claim);
    return this.#closeIfUnneeded(this.#withdraw(after, index), node);
  }

  /** The grace is over: who has no source gives the stream up, viewers and all. */
  giveUp(state: State, index: number): State {
    return this.#closePull(withNode(state, index, { viewers: false }), index);
  }

  incarnation(state: State, index: number): { region: string; nodeId: string; incarnation: string } {
    const { nodeId, region } = this.spec(index);
    return { region, nodeId, incarnation: `life-${nodeAt(state, index).life}` };
  }

  spec(index: number): Setup['nodes'][number] {
    return known(this.setup.nodes[index], `node ${index}`);
  }

  /** The node that the holder of a claim is, if that start of it lives. */
  living(state: State, holder: { nodeId: string; incarnation: string }): number | undefined {
    const index = this.setup.nodes.findIndex(({ nodeId }) => nodeId === holder.nodeId);
    if (index < 0 || !nodeAt(state, index).alive) return undefined;
    return sameHolder(this.incarnation(state, index), holder) ? index : undefined;
  }

  plan(state: State, index: number, suspect?: RegionClaim): CascadePlan {
    const self = this.incarnation(state, index);
    return this.rules.planCascade({
      claims: readClaims(state.map, self.region),
      self,
      ownEpoch: nodeAt(state, index).claim?.epoch ?? 0,
      alive: (holder) =>
        (suspect === undefined || !sameHolder(suspect, holder)) && this.living(state, holder) !== undefined,
    });
  }

  *#deliveries(state: State): Actions {
    for (const mail of state.map.mail) {
      const { key, writtenAt } = mail.item;
      yield {
        name: `${key} write ${writtenAt} reaches ${mail.to}`,
        next: { ...state, map: deliver(state.map, mail) },
      };
    }
  }

  *#sweeps(state: State): Actions {
    for (const region of this.setup.regions) {
      if (!this.#hasLiving(state, region)) continue;
      const { origins, regions } = readClaims(state.map, region);
      for (const claim of [...origins, ...regions]) {
        if (claim.region !== region || !isHeld(claim)) continue;
        if (this.living(state, claim) !== undefined || !this.rules.sweeps(claim)) continue;
        const map = amendClaim(state.map, region, claim, { releasedAt: 1 });
        const name = `${claim.nodeId}'s ${'priority' in claim ? 'origin' : 'region'} claim`;
        if (map) yield { name: `${region} sweeps ${name}`, next: { ...state, map } };
      }
    }
  }

  #hasLiving(state: State, region: string): boolean {
    return this.setup.nodes.some((spec, index) => spec.region === region && nodeAt(state, index).alive);
  }

  *#sessionSteps(state: State, index: number): Actions {
    const { phase, flow } = sessionAt(state, index);
    const { node } = known(this.setup.publishing[index], `publisher ${index}`);
    const name = `publisher ${index} at ${this.spec(node).nodeId}`;
    if (phase === 'read') yield { name: `${name} reads`, next: this.#readBeforeClaim(state, index) };
    if (phase === 'write') yield { name: `${name} writes its claim`, next: this.#claimOrigin(state, index) };
    if (phase === 'held') {
      const next = this.#check(state, index);
      if (next !== state) yield { name: `${name} checks`, next };
    }
    if (flow === 'unsteady' && phase !== 'over' && phase !== 'to-come')
      yield { name: `${name} is steady`, next: withSession(state, index, { flow: 'steady' }) };
  }

  #readBeforeClaim(state: State, index: number): State {
    const { node, priority, tokenId } = known(this.setup.publishing[index], `publisher ${index}`);
    const { region } = this.spec(node);
    const read = readClaims(state.map, region);
    const alive = (holder: { nodeId: string; incarnation: string }) =>
      this.living(state, holder) !== undefined;
    if (this.rules.isTaken(read, { region, priority, tokenId }, alive)) return this.unpublish(state, index);
    return withSession(state, index, { phase: 'write', read });
  }

  #claimOrigin(state: State, index: number): State {
    const { node, priority, tokenId } = known(this.setup.publishing[index], `publisher ${index}`);
    const { region, skew } = this.spec(node);
    const read = known(sessionAt(state, index).read ?? undefined, `what publisher ${index} read`);
    const claim = this.rules.newOriginClaim(read, {
      stream: STREAM,
      ...this.incarnation(state, node),
      priority,
      tokenId,
      startedAt: state.clock + skew,
      viewing: 'open',
    });
    const rivals = read.origins.filter((rival) => isHeld(rival) && rival.priority === priority);
    if (!rivals.every((rival) => precedes(claim, rival)))
      violation(`${claim.nodeId}'s new origin claim does not go before one that it saw`);
    const map = putClaim(state.map, region, claim, seenOrigin(read, claim));
    if (map === undefined) return withSession(state, index, { phase: 'read', read: null, claim: null });
    const written = { ...state, map, clock: state.clock + 1 };
    const held = withSession(written, index, { phase: 'held', read: null, claim });
    const judged = this.#judge(held, index, claim, true);
    // It can have been overtaken since it read, but not by those that it came to replace.
    const isSeen = (rival: OriginClaim) => rivals.some(({ epoch }) => epoch === rival.epoch);
    const others = readClaims(map, region).origins.filter(
      (rival) => isHeld(rival) && rival.priority === priority && !isSameItem(rival, claim),
    );
    if (sessionAt(judged, index).phase === 'over' && others.every(isSeen))
      violation(`the publisher at ${claim.nodeId} steps down for one that it came to replace`);
    return judged;
  }

  #check(state: State, index: number): State {
    const mine = sessionAt(state, index).claim;
    if (mine === null) return state;
    const after = this.#judge(state, index, mine);
    const { phase, flow } = sessionAt(after, index);
    if (phase !== 'held') return after;
    const claims = readClaims(after.map, mine.region);
    const yields = this.rules.shouldYield(claims, mine, FLOWS[flow], YIELD_RULES);
    if (yields === (mine.yields === true)) return after;
    const map = amendClaim(after.map, mine.region, mine, { yields });
    if (map === undefined) return after;
    const claim = { ...mine, yields };
    return this.#judge(withSession({ ...after, map }, index, { claim }), index, claim);
  }

  #judge(state: State, index: number, mine: OriginClaim, isNew = false): State {
    const { active } = sessionAt(state, index);
    const standing = this.rules.originStanding(readClaims(state.map, mine.region), mine);
    if (standing === 'superseded') return this.unpublish(state, index);
    if (standing === 'gone')
      return withSession(state, index, { phase: 'read', active: active && !this.rules.forgetsThatItFeeds });
    if (standing === 'standby')
      return active ? this.#standBy(withSession(state, index, { active: false }), index) : state;
    // A claim that was taken back has another epoch: legs are made of it anew.
    if (active && !isNew) return state;
    return this.#feedFromPublisher(withSession(state, index, { active: true }), index);
  }

  #feedFromPublisher(state: State, index: number): State {
    const { node, priority } = known(this.setup.publishing[index], `publisher ${index}`);
    const { source, generation } = nodeAt(state, node);
    let after = this.#releaseRegion(state, node);
    after = withNode(after, node, {
      pull: null,
      source: { kind: 'publisher', session: index, path: [] },
      generation: generation + 1,
    });
    if (source?.kind !== 'publisher' || source.session === index) return after;
    const previous = this.setup.publishing[source.session];
    if (sessionAt(after, source.session).phase === 'over') return after;
    // The same encoder come back. One of another priority stays, as a standby.
    if (previous?.priority === priority) return this.unpublish(after, source.session);
    return this.rules.standsOthersDown ? withSession(after, source.session, { active: false }) : after;
  }

  /** Another goes first; this one may send on all the same. */
  #standBy(state: State, index: number): State {
    const { node } = known(this.setup.publishing[index], `publisher ${index}`);
    const after = this.#withdraw(state, index);
    if (!this.rules.standbyDismisses) return after;
    return withNode(after, node, { generation: nodeAt(after, node).generation + 1 });
  }

  /** The publisher feeds the stream no more: what hangs on the stream is kept. */
  #withdraw(state: State, index: number): State {
    const { node } = known(this.setup.publishing[index], `publisher ${index}`);
    const { source, children, pull } = nodeAt(state, node);
    if (source?.kind !== 'publisher' || source.session !== index) return state;
    const kept = isWanted(state, node) || children.length > 0;
    return withNode(state, node, { source: null, pull: kept ? (pull ?? LOOK) : pull });
  }

  #closeIfUnneeded(state: State, index: number): State {
    const { pull } = nodeAt(state, index);
    const published = this.setup.publishing.some(({ node }, session) => {
      const { phase } = sessionAt(state, session);
      return node === index && phase !== 'over' && phase !== 'to-come';
    });
    if (pull !== null || published) return state;
    return withNode(state, index, { children: [], source: null });
  }

  *#nodeSteps(state: State, index: number): Actions {
    const node = nodeAt(state, index);
    if (!node.alive) return;
    const name = this.spec(index).nodeId;
    for (const claim of node.releases)
      yield { name: `${name} releases epoch ${claim.epoch}`, next: this.#release(state, index, claim) };
    for (const child of node.children) {
      if (isKept(state, index, child)) continue;
      const children = node.children.filter((other) => other !== child);
      yield {
        name: `${name} misses ${this.spec(child.node).nodeId}`,
        next: withNode(state, index, { children }),
      };
    }
    if (node.source?.kind === 'leg' && isBroken(state, node.source))
      yield { name: `${name}'s leg ends`, next: withNode(state, index, { source: null, pull: LOOK }) };
    const { source } = node;
    if (
      source?.kind === 'leg' &&
      source.crossing &&
      this.rules.leavesCrossing(this.plan(state, index).step, node.claim !== null)
    ) {
      const next = withNode(state, index, { source: null, pull: LOOK });
      yield { name: `${name} sees that it is not secondary origin`, next };
    }
    yield* this.#drainSteps(state, index, node);
    yield* this.#pullSteps(state, index, node);
    if (node.pull !== null && !isWanted(state, index))
      yield { name: `${name} is unused`, next: this.#closePull(this.#dismiss(state, index), index) };
  }

  *#drainSteps(state: State, index: number, { drain, pull, claim, viewers, releases }: Node): Actions {
    const name = this.spec(index).nodeId;
    if (drain === 'handing-over' && !releases.some((released) => !('priority' in released))) {
      const after = withNode(state, index, { drain: 'handed-over' });
      const { generation } = nodeAt(state, index);
      const next = pull === null ? after : withNode(after, index, { generation: generation + 1 });
      yield { name: `${name} has handed over`, next };
    }
    if (drain === 'handed-over' && claim !== null && !viewers && this.rules.drainGivesUpUnneeded)
      yield { name: `${name} gives up what it took`, next: this.#handOver(state, index) };
  }

  #handOver(state: State, index: number): State {
    return withNode(this.#releaseRegion(state, index), index, { drain: 'handing-over' });
  }

  *#pullSteps(state: State, index: number, { pull, generation }: Node): Actions {
    const name = this.spec(index).nodeId;
    if (pull === null) return;
    if (pull.step === 'look') {
      const plan = this.plan(state, index);
      const next = this.#follow(state, index, plan);
      if (next !== state) yield { name: `${name} looks: ${plan.step}`, next };
    } else if (pull.step === 'claim') {
      yield { name: `${name} claims its region`, next: this.#claimRegion(state, index, pull) };
    } else if (pull.step === 'ask') {
      for (const [nth, next] of this.#ask(state, index, pull).entries())
        yield { name: `${name} asks ${this.spec(pull.node).nodeId}${nth > 0 ? `, ${nth}` : ''}`, next };
    } else if (pull.step === 'cross') {
      for (const [nth, next] of this.#cross(state, index, pull).entries())
        yield { name: `${name} asks ${pull.region}${nth > 0 ? `, ${nth}` : ''}`, next };
    } else if (pull.step === 'answer') {
      const source = { kind: 'leg', ...pull.leg } as const;
      yield {
        name: `${name} is fed`,
        next: withNode(state, index, { source, generation: generation + 1, pull: { step: 'fed' } }),
      };
    }
  }

  #follow(state: State, index: number, plan: CascadePlan): State {
    const { viewers } = nodeAt(state, index);
    const self = this.incarnation(state, index);
    if (plan.step === 'none' || plan.step === 'self') return state;
    // Nobody watches here, and those below have a parent of their own to find.
    if (!viewers && plan.step !== 'cross') return this.#closePull(this.#dismiss(state, index), index);
    if (plan.step === 'pull') {
      const node = this.living(state, plan.from);
      if (node === undefined)
        violation(`${self.nodeId} plans to pull from ${plan.from.nodeId}, which it knows to be dead`);
      const { life } = nodeAt(state, node);
      const pull: Pull = { step: 'ask', node, life, epoch: plan.from.epoch, crossing: false, depth: 0 };
      return withNode(this.#releaseRegion(state, index), index, { pull });
    }
    const { region } = plan.origin;
    if (plan.step === 'cross') {
      const claim = regionClaimOf(readClaims(state.map, self.region), self.region) ?? null;
      const isGivenUp = nodeAt(state, index).releases.some(
        (given) => claim && isSameItem(given, claim) && given.epoch === claim.epoch,
      );
      if (claim === null || !sameHolder(claim, self) || isGivenUp)
        violation(`${self.nodeId} crosses on a claim that is not its own, or that it has given up`);
      return withNode(state, index, { claim, pull: { step: 'cross', region, epoch: plan.epoch } });
    }
    const parent = { region, nodeId: plan.origin.nodeId, epoch: plan.origin.epoch };
    const epoch = this.rules.nextRegionEpoch(plan.seen);
    const claim: RegionClaim = { stream: STREAM, ...self, epoch, parent };
    return withNode(state, index, { pull: { step: 'claim', claim, seen: plan.seen } });
  }

  #claimRegion(state: State, index: number, { claim, seen }: Extract<Pull, { step: 'claim' }>): State {
    const map = putClaim(state.map, claim.region, claim, seen);
    if (map === undefined) return withNode(state, index, { pull: LOOK });
    const pull: Pull = { step: 'cross', region: claim.parent.region, epoch: claim.epoch };
    return withNode({ ...state, map }, index, { claim, pull });
  }

  /** In a region of the origin's: its reader knows where the stream comes from. */
  #cross(state: State, index: number, { region, epoch }: Extract<Pull, { step: 'cross' }>): State[] {
    const origin = this.rules.activeOrigin(readClaims(state.map, region));
    const node = origin?.region === region ? this.living(state, origin) : undefined;
    if (node === undefined) return [withNode(state, index, { pull: LOOK })];
    const { life } = nodeAt(state, node);
    return this.#ask(state, index, { step: 'ask', node, life, epoch, crossing: true, depth: 0 });
  }

  /** What a parent answers; more than one state where it names children to ask instead. */
  #ask(state: State, index: number, asked: Extract<Pull, { step: 'ask' }>): State[] {
    const refused = withNode(state, index, { pull: LOOK });
    const parent = nodeAt(state, asked.node);
    if (!parent.alive || parent.life !== asked.life) return [refused];
    const self = this.spec(index);
    const here = this.spec(asked.node);
    if (parent.source === null) return [this.#disown(refused, asked.node)];
    if (this.rules.closesLoop(self.nodeId, here.nodeId, parent.source.path)) return [refused];
    const hasHandedOver = parent.drain === 'handed-over' && parent.claim === null;
    if (
      hasHandedOver &&
      parent.source.kind === 'leg' &&
      parent.source.crossing &&
      this.rules.handedOverRefuses
    )
      return [refused];
    const order = parent.requests + 1;
    const mine = this.#askedLeg(index, asked.epoch, order);
    const all = parent.children.map((child) => ({
      child,
      asked: this.#askedLeg(child.node, child.epoch, child.order),
    }));
    const others = all.map((other) => other.asked);
    if (this.rules.isOvertaken(mine, others, here.region)) return [refused];
    const place = placeOf(mine.request, here.region);
    const samePlace = ({ request }: AskedLeg) => placeOf(request, here.region) === place;
    const kept = all.filter((other) => !samePlace(other.asked));
    if (kept.length >= this.setup.maxChildren) {
      const named = kept.filter(({ child }) => this.spec(child.node).region === here.region);
      const next = named.flatMap(({ child: { node, life } }): State[] => {
        const pull: Pull = { ...asked, node, life, depth: asked.depth + 1 };
        return node === index || pull.depth >= MAX_DEPTH ? [] : [withNode(state, index, { pull })];
      });
      return next.length > 0 ? next : [refused];
    }
    for (const other of all) {
      if (samePlace(other.asked) && self.region !== here.region && other.child.epoch > asked.epoch)
        violation(`${here.nodeId} gives ${self.region}'s leg back to an older claim`);
    }
    const { life } = nodeAt(state, index);
    const child = { node: index, life, epoch: asked.epoch, order, generation: parent.generation };
    const leg: Leg = {
      parent: asked.node,
      life: parent.life,
      order,
      generation: parent.generation,
      crossing: asked.crossing,
      epoch: asked.epoch,
      path: [...parent.source.path, here.nodeId],
    };
    const fed = withNode(state, asked.node, {
      requests: order,
      children: [...kept.map((other) => other.child), child],
    });
    return [withNode(fed, index, { pull: { step: 'answer', leg } })];
  }

  #askedLeg(index: number, epoch: number, order: number): AskedLeg {
    const { region, nodeId } = this.spec(index);
    return { request: { region, nodeId, epoch }, order };
  }

  /** Asked for a stream that it has nothing of: a claim that was never released led here. */
  #disown(state: State, index: number): State {
    const self = this.incarnation(state, index);
    const isHere = this.setup.publishing.some(({ node }, session) => {
      const { phase } = sessionAt(state, session);
      return node === index && phase !== 'over' && phase !== 'to-come';
    });
    if (nodeAt(state, index).pull !== null || isHere) return state;
    const { origins, regions } = readClaims(state.map, self.region);
    return [...origins, ...regions]
      .filter((claim) => isHeld(claim) && sameHolder(claim, self))
      .reduce((after, claim) => this.#releaseLater(after, index, claim), state);
  }

  #dismiss(state: State, index: number): State {
    if (!this.rules.closedPullDismisses) return state;
    return withNode(state, index, { generation: nodeAt(state, index).generation + 1 });
  }

  #closePull(state: State, index: number): State {
    const { source } = nodeAt(state, index);
    const after = withNode(this.#releaseRegion(state, index), index, {
      pull: null,
      source: source?.kind === 'leg' ? null : source,
    });
    return this.#closeIfUnneeded(after, index);
  }

  #releaseRegion(state: State, index: number): State {
    const { claim } = nodeAt(state, index);
    if (claim === null) return state;
    return this.#releaseLater(withNode(state, index, { claim: null }), index, claim);
  }

  #releaseLater(state: State, index: number, claim: Claim): State {
    const { releases } = nodeAt(state, index);
    const waits = releases.some((other) => isSameItem(other, claim) && other.epoch === claim.epoch);
    return waits ? state : withNode(state, index, { releases: [...releases, claim] });
  }

  #release(state: State, index: number, claim: Claim): State {
    const { releases } = nodeAt(state, index);
    const after = withNode(state, index, { releases: releases.filter((other) => other !== claim) });
    const map = amendClaim(state.map, claim.region, claim, { releasedAt: 1 });
    return map === undefined ? after : { ...after, map };
  }

  *#publisherEvents(state: State, index: number, { node }: Publishing): Actions {
    const { phase, flow } = sessionAt(state, index);
    const name = `publisher ${index} at ${this.spec(node).nodeId}`;
    if (phase === 'to-come') {
      const waits =
        this.setup.inTurn &&
        index > 0 &&
        ['to-come', 'read', 'write'].includes(sessionAt(state, index - 1).phase);
      if (nodeAt(state, node).alive && !waits)
        yield { name: `${name} connects`, next: withSession(state, index, { phase: 'read' }) };
      return;
    }
    if (phase === 'over') return;
    yield* this.#spend(state, 'unpublish', name, () => this.unpublish(state, index));
    if (flow === 'silent')
      yield { name: `${name} is heard`, next: withSession(state, index, { flow: 'unsteady' }) };
    else yield* this.#spend(state, 'silence', name, () => withSession(state, index, { flow: 'silent' }));
  }

  *#nodeEvents(state: State, index: number): Actions {
    const { alive, pull, source } = nodeAt(state, index);
    if (!alive) return;
    const { region, nodeId } = this.spec(index);
    const claims = readClaims(state.map, region);
    const secondary = regionClaimOf(claims, region);
    if (pull?.step === 'look' && secondary && isHeld(secondary) && this.living(state, secondary) !== index) {
      const plan = this.plan(state, index, secondary);
      if (plan.step === 'claim')
        yield* this.#spend(state, 'suspect', `${nodeId} of ${secondary.nodeId}`, () =>
          this.#follow(state, index, plan),
        );
    }
    for (const claim of claims.origins) {
      if (!isHeld(claim) || claim.region !== region || this.living(state, claim) !== index) continue;
      const map = amendClaim(state.map, region, claim, { releasedAt: 1 });
      if (map) yield* this.#spend(state, 'misjudge', nodeId, () => ({ ...state, map }));
    }
    const active = this.rules.activeOrigin(claims);
    if (source?.kind === 'leg' && active && (source.path[0] ?? nodeId) !== active.nodeId)
      yield* this.#spend(state, 'notice', nodeId, () => withNode(state, index, { source: null, pull: LOOK }));
  }

  *#spend(state: State, what: keyof Budget, whom: string, then: () => State): Actions {
    const { budget } = state;
    if (budget[what] === 0) return;
    yield { name: `${what} ${whom}`, next: { ...then(), budget: { ...budget, [what]: budget[what] - 1 } } };
  }

  #at(index: number): string {
    return this.spec(index).nodeId;
  }
}

const OVER = { phase: 'over', read: null, claim: null, active: false, flow: 'steady' } as const;
