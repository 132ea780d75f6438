// What the names of the local world's zone resolve to. Pure: no sockets, no wire format.

import type { Answer, Question } from 'dns-packet';
import { nearestFirst } from './nearest-region.ts';

/** A region as DNS knows it. */
export interface DnsRegion {
  /** The AWS region name: `eu-west-1`. */
  readonly id: string;
  /** The regional name, inside the zone: `eu-west-1.meridian.test`. */
  readonly name: string;
  readonly ipv4: string;
  readonly ipv6?: string;
  /** The gateway's port, for SRV: on one machine the regions differ by port. */
  readonly port: number;
  readonly healthy: boolean;
}

export interface ZoneState {
  /** The name that all regions share, at least two labels: `live.meridian.test`. Its parent is the zone. */
  readonly globalName: string;
  readonly regions: readonly DnsRegion[];
  /** Seconds. */
  readonly ttl: number;
}

/** The DNS response codes that this server gives (RFC 1035 §4.1.1; BADVERS is RFC 6891 §6.1.3). */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

export interface Resolution {
  rcode: (typeof RCODE)[keyof typeof RCODE];
  /** Whether the name is in the zone. */
  authoritative: boolean;
  /** Whether another client could get another answer. */
  tailored: boolean;
  answers: Answer[];
  authorities: Answer[];
  additionals: Answer[];
}

/**
 * Answers one question. The global name has the addresses of the nearest healthy region (A, AAAA) and, to see what was
 * chosen, that region's id (TXT); `_meridian._tcp.<globalName>` is an SRV record with that region's regional name and
 * port; each regional name has its region's addresses, healthy or not. A region without IPv6 has no AAAA: the name
 * then answers with no data rather than with another region, so that a client's A and AAAA never disagree.
 *
 * @param clientRegion the region that the client is nearest to.
 */
export function resolve(
  question: Question,
  { globalName, regions, ttl }: ZoneState,
  clientRegion: string,
): Resolution {
  const globalKey = globalName.toLowerCase();
  const zone = parentOf(globalKey);
  const name = question.name.toLowerCase();
  const empty = { answers: [], authorities: [], additionals: [] };
  if (name !== zone && !name.endsWith(`.${zone}`)) {
    return { rcode: RCODE.REFUSED, authoritative: false, tailored: false, ...empty };
  }

  const [nearest] = nearestFirst(regions, clientRegion);
  const serviceKey = `_meridian._tcp.${globalKey}`;
  const soa = startOfAuthority(zone, ttl);
  // The owner is the question's own spelling: some resolvers check that its upper and lower case come back.
  const owner = question.name;
  const chosen = (records: (region: DnsRegion) => Answer[]) => (nearest ? records(nearest) : []);
  const records = new Map<string, Answer[]>([
    [zone, [soa]],
    [
      globalKey,
      chosen((it) => [...addresses(owner, it, ttl), { type: 'TXT', name: owner, ttl, data: it.id }]),
    ],
    [
      serviceKey,
      chosen((it) => [{ type: 'SRV', name: owner, ttl, data: { port: it.port, target: it.name } }]),
    ],
    ...regions.map((it): [string, Answer[]] => [it.name.toLowerCase(), addresses(owner, it, ttl)]),
  ]);

  const type: string = question.type;
  const answers = records.get(name)?.filter((record) => type === record.type || type === 'ANY') ?? [];
  // A name exists when something is below it, too (RFC 8020): _tcp.<globalName>.
  const exists = [...records.keys()].some((known) => known === name || known.endsWith(`.${name}`));
  return {
    rcode: exists ? RCODE.NOERROR : RCODE.NXDOMAIN,
    authoritative: true,
    tailored: name === globalKey || name === serviceKey,
    answers,
    authorities: answers.length === 0 ? [soa] : [],
    additionals: name === serviceKey && answers.length > 0 ? chosen((it) => addresses(it.name, it, ttl)) : [],
  };
}

/** The name one label up. */
export function parentOf(name: string): string {
  return name.slice(name.indexOf('.') + 1);
}

function addresses(name: string, { ipv4, ipv6 }: DnsRegion, ttl: number): Answer[] {
  const a: Answer = { type: 'A', name, ttl, data: ipv4 };
  return ipv6 === undefined ? [a] : [a, { type: 'AAAA', name, ttl, data: ipv6 }];
}

/** With it a resolver may cache that there is no answer (RFC 2308), here for as long as an answer. */
function startOfAuthority(zone: string, ttl: number): Answer {
  const data = {
    mname: `ns.${zone}`,
    rname: `hostmaster.${zone}`,
    serial: 1,
    refresh: 7200,
    retry: 900,
    expire: 1_209_600,
  };
  return { type: 'SOA', name: zone, ttl, data: { ...data, minimum: ttl } };
}
