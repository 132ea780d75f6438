// One DNS message in, one out: the wire format, EDNS (RFC 6891) and EDNS client subnet (RFC 7871).

import {
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  DNSSEC_OK,
  decode,
  encode,
  type OptAnswer,
  type PacketOpt,
  type Question,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import { regionOfClient, SUBNET_PREFIX } from './client-subnets.ts';
import { RCODE, type Resolution, resolve, type ZoneState } from './zone.ts';

/** Bytes over UDP: what a client without EDNS takes (RFC 1035 §4.2.1), and the most that is sent, never fragmented. */
const UDP_SIZE = { plain: 512, edns: 1232 };
const HEADER_SIZE = 12;
/** In the header's flags: QR; the opcode; and what a response repeats, the opcode and "recursion desired". */
const FLAGS = { response: 0x8000, opcode: 0x7800, repeated: 0x7900 };

/** dns-packet reads labels as UTF-8 joined by dots: other names could not be repeated as they were asked. */
const REPEATABLE_NAME = /^(\.|[!-\-/-~]+(\.[!-\-/-~]+)*)$/;

type ClientSubnet = Extract<PacketOpt, { code: 8 }>;

interface Reply extends Partial<Resolution> {
  rcode: Resolution['rcode'];
  question?: Question;
  /** The query's OPT record: who sends one gets one. */
  edns?: OptAnswer | undefined;
  clientSubnet?: ClientSubnet | undefined;
  truncated?: boolean;
}

/**
 * Answers one DNS message.
 *
 * @param query the message, without TCP's length field.
 * @param source the sender's address: it places the client unless the message carries a client subnet.
 * @returns the response, or undefined when there must be none: the message is too short to have an id, or is itself a
 *   response (two servers must not answer each other for ever).
 */
export function answerMessage(
  query: Buffer,
  source: string,
  transport: 'udp' | 'tcp',
  zone: ZoneState,
): Buffer | undefined {
  if (query.length < HEADER_SIZE || (query.readUInt16BE(2) & FLAGS.response) !== 0) return undefined;
  if ((query.readUInt16BE(2) & FLAGS.opcode) !== 0) return encodeReply(query, { rcode: RCODE.NOTIMP });
  const packet = parse(query);
  const [question, ...more] = packet?.questions ?? [];
  if (
    packet === undefined ||
    question === undefined ||
    more.length > 0 ||
    !REPEATABLE_NAME.test(question.name)
  ) {
    return encodeReply(query, { rcode: RCODE.FORMERR });
  }
  if (question.class !== 'IN') return encodeReply(query, { rcode: RCODE.REFUSED });

  const edns = packet.additionals?.find((record) => record.type === 'OPT');
  if (edns !== undefined && edns.ednsVersion !== 0)
    return encodeReply(query, { rcode: RCODE.BADVERS, question, edns });
  const subnet = edns?.options.find((option) => option.code === 8);
  if (subnet !== undefined && !isWellFormed(subnet)) {
    return encodeReply(query, { rcode: RCODE.FORMERR, question, edns });
  }

  // A source prefix of 0 is a client that does not want its address used (RFC 7871 §7.1.2).
  const told = subnet?.sourcePrefixLength ? subnet.ip : undefined;
  // A client in no known subnet is treated as being at the first region.
  const clientRegion = regionOfClient(told ?? source) ?? zone.regions[0]?.id ?? '';
  const resolution = resolve(question, zone, clientRegion);
  const scope = told !== undefined && resolution.tailored ? scopeOf(subnet) : 0;
  const reply: Reply = { ...resolution, question, edns, clientSubnet: subnet && echoOf(subnet, scope) };
  const response = encodeReply(query, reply);
  const room = edns ? Math.min(Math.max(edns.udpPayloadSize, UDP_SIZE.plain), UDP_SIZE.edns) : UDP_SIZE.plain;
  if (transport === 'tcp' || response.length <= room) return response;
  return encodeReply(query, { ...reply, answers: [], authorities: [], additionals: [], truncated: true });
}

/** The response to a message that this server failed on: SERVFAIL. */
export function serverFailure(query: Buffer): Buffer {
  return encodeReply(query, { rcode: RCODE.SERVFAIL });
}

function parse(query: Buffer): DecodedPacket | undefined {
  try {
    return decode(query);
  } catch {
    return undefined;
  }
}

/** RFC 7871 §6 and §7.2.1: a known family, exactly the octets that the prefix needs, and no bits set beyond it. */
function isWellFormed({
  family,
  sourcePrefixLength: prefix = 0,
  data = Buffer.alloc(0),
}: ClientSubnet): boolean {
  const address = data.subarray(4);
  const spare = address.length * 8 - prefix;
  if ((family !== 1 && family !== 2) || prefix > (family === 1 ? 32 : 128)) return false;
  return data.length >= 4 && spare >= 0 && spare < 8 && (address.at(-1) ?? 0) % 2 ** spare === 0;
}

/** Known subnets all have one length per family, so an answer is good for a network of that length, known or not. */
function scopeOf(subnet: ClientSubnet | undefined): number {
  return subnet?.family === 1 ? SUBNET_PREFIX.ipv4 : SUBNET_PREFIX.ipv6;
}

function echoOf({ family, sourcePrefixLength, ip }: ClientSubnet, scopePrefixLength: number): ClientSubnet {
  return { code: 8, family, sourcePrefixLength, scopePrefixLength, ip };
}

function encodeReply(query: Buffer, { rcode, question, edns, clientSubnet, ...reply }: Reply): Buffer {
  const flags =
    (query.readUInt16BE(2) & FLAGS.repeated) |
    (reply.authoritative ? AUTHORITATIVE_ANSWER : 0) |
    (reply.truncated ? TRUNCATED_RESPONSE : 0) |
    (rcode & 0xf);
  const opt: OptAnswer | undefined = edns && {
    type: 'OPT',
    name: '.',
    udpPayloadSize: UDP_SIZE.edns,
    extendedRcode: rcode >> 4,
    ednsVersion: 0,
    flags: edns.flags & DNSSEC_OK,
    flag_do: edns.flag_do,
    options: clientSubnet ? [clientSubnet] : [],
  };
  return encode({
    type: 'response',
    id: query.readUInt16BE(0),
    flags,
    questions: question ? [question] : [],
    answers: reply.answers,
    authorities: reply.authorities,
    additionals: [...(reply.additionals ?? []), ...(opt ? [opt] : [])],
  });
}
