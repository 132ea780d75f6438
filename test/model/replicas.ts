// The stream map as DynamoDB's global tables keep it: a replica in each region, and writes on their way between them.

import { type OriginClaim, type RegionClaim, type StreamClaims, sameHolder } from '#routing/claims.ts';
import { violation } from './violation.ts';

export type Claim = OriginClaim | RegionClaim;

export interface Item {
  readonly key: string;
  readonly claim: Claim;
  /** Orders the writes of one item; nothing else of the time of a write matters. */
  readonly writtenAt: number;
  readonly writer: string;
}

/** Sorted by key, as a query answers. */
type Replica = readonly Item[];

export interface Mail {
  readonly to: string;
  readonly item: Item;
}

export interface Replicas {
  readonly at: Readonly<Record<string, Replica>>;
  /** Writes that a region has not seen yet; any of them may arrive next. */
  readonly mail: readonly Mail[];
}

export const STREAM = 'concert';

export const emptyReplicas = (regions: readonly string[]): Replicas => ({
  at: Object.fromEntries(regions.map((region) => [region, []])),
  mail: [],
});

const keyOf = (claim: Claim): string =>
  'priority' in claim ? `ORIGIN#${claim.region}#${claim.priority}` : `REGION#${claim.region}`;

export const isSameItem = (a: Claim, b: Claim): boolean => keyOf(a) === keyOf(b);

const replicaOf = ({ at }: Replicas, region: string): Replica => at[region] ?? [];

const itemFor = (map: Replicas, claim: Claim): Item | undefined =>
  replicaOf(map, claim.region).find(({ key }) => key === keyOf(claim));

const reads = new WeakMap<Replica, StreamClaims>();

/** A consistent read in a region. */
export function readClaims(map: Replicas, region: string): StreamClaims {
  const replica = replicaOf(map, region);
  let claims = reads.get(replica);
  if (claims === undefined) {
    const origins = replica.flatMap(({ claim }) => ('priority' in claim ? [claim] : []));
    const regions = replica.flatMap(({ claim }) => ('priority' in claim ? [] : [claim]));
    claims = { stream: STREAM, origins, regions };
    reads.set(replica, claims);
  }
  return claims;
}

/** What the map holds where the claim goes, in claims that were read. */
export const seenOrigin = (claims: StreamClaims, claim: OriginClaim): OriginClaim | undefined =>
  claims.origins.find(({ region, priority }) => region === claim.region && priority === claim.priority);

/** `claimOrigin` and `claimRegion` of StreamMap; undefined when another claim got there first. */
export function putClaim(
  map: Replicas,
  from: string,
  claim: Claim,
  seen: Claim | undefined,
): Replicas | undefined {
  if (itemFor(map, claim)?.claim.epoch !== seen?.epoch) return undefined;
  return write(map, from, claim);
}

/** `release` and `setYields` of StreamMap; undefined when the claim does not stand any more. */
export function amendClaim(
  map: Replicas,
  from: string,
  claim: Claim,
  change: { releasedAt: number } | { yields: boolean },
): Replicas | undefined {
  const standing = itemFor(map, claim)?.claim;
  if (standing === undefined || standing.epoch !== claim.epoch || !sameHolder(standing, claim))
    return undefined;
  return write(map, from, { ...standing, ...change });
}

function write(map: Replicas, from: string, claim: Claim): Replicas {
  const key = keyOf(claim);
  if (claim.region !== from) violation(`${from} writes ${key}, an item of another region`);
  const before = itemFor(map, claim);
  if (before !== undefined) {
    const { claim: old } = before;
    const heldOn = old.epoch === claim.epoch && sameHolder(old, claim);
    if (old.epoch >= claim.epoch && !heldOn)
      violation(`${key}: epoch ${old.epoch} is replaced by epoch ${claim.epoch}`);
  }
  const item: Item = { key, claim, writtenAt: (before?.writtenAt ?? 0) + 1, writer: from };
  const others = Object.keys(map.at).filter((region) => region !== from);
  const mail = others.map((to): Mail => ({ to, item }));
  return put({ at: map.at, mail: sorted([...map.mail, ...mail]) }, from, item);
}

/** A write arrives: the last writer wins, and what it outdates need not arrive any more. */
export function deliver(map: Replicas, { to, item }: Mail): Replicas {
  const mail = map.mail.filter(
    (other) => other.to !== to || other.item.key !== item.key || isNewer(other.item, item),
  );
  const known = replicaOf(map, to).find(({ key }) => key === item.key);
  const after = { at: map.at, mail };
  return known !== undefined && !isNewer(item, known) ? after : put(after, to, item);
}

function put({ at, mail }: Replicas, region: string, item: Item): Replicas {
  const others = (at[region] ?? []).filter(({ key }) => key !== item.key);
  const replica = [...others, item].sort((a, b) => (a.key < b.key ? -1 : 1));
  return { at: { ...at, [region]: replica }, mail };
}

const isNewer = (a: Item, b: Item): boolean =>
  a.writtenAt === b.writtenAt ? a.writer > b.writer : a.writtenAt > b.writtenAt;

/** In an order of their own, so that the same mail is the same state however it came about. */
const sorted = (mail: Mail[]): Mail[] =>
  mail.sort((a, b) => {
    if (a.to !== b.to) return a.to < b.to ? -1 : 1;
    if (a.item.key !== b.item.key) return a.item.key < b.item.key ? -1 : 1;
    return a.item.writtenAt - b.item.writtenAt;
  });
