// The DNS server as clients see it: real queries over UDP and TCP.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import {
  type Answer,
  type DecodedPacket,
  DNSSEC_OK,
  decode,
  encode,
  type PacketOpt,
  type RecordType,
} from 'dns-packet';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CLIENT_SUBNETS } from '#local/dns/client-subnets.ts';
import { type DnsServer, startDnsServer } from '#local/dns/server.ts';
import type { DnsRegion } from '#local/dns/zone.ts';

const host = '127.0.0.1';
const globalName = 'live.meridian.test';
const unhealthy = new Set<string>();
const logged: string[] = [];
let extra: Partial<Record<string, Partial<DnsRegion>>>;
let server: DnsServer;

function regions(): DnsRegion[] {
  return ['us-east-1', 'eu-west-1', 'ap-southeast-1'].map((id, n) => ({
    id,
    name: `${id}.meridian.test`,
    ipv4: `127.0.0.${n + 1}`,
    port: 8101 + n,
    healthy: !unhealthy.has(id),
    ...extra[id],
  }));
}

const start = (options: Partial<Parameters<typeof startDnsServer>[0]> = {}) =>
  startDnsServer({ host, port: 0, globalName, regions, log: (line) => logged.push(line), ...options });

beforeEach(async () => {
  unhealthy.clear();
  logged.length = 0;
  extra = {};
  server = await start();
});
afterEach(() => server.close());

interface Ask {
  name?: string;
  type?: RecordType;
  /** EDNS client subnet. */
  subnet?: string;
  udpPayloadSize?: number;
  ednsVersion?: number;
  dnssecOk?: boolean;
}

function queryOf({
  name = globalName,
  type = 'A',
  subnet,
  udpPayloadSize,
  ednsVersion = 0,
  dnssecOk = false,
}: Ask = {}): Buffer {
  const additionals: Answer[] = [];
  if (subnet !== undefined || udpPayloadSize !== undefined || ednsVersion > 0 || dnssecOk) {
    const [ip, prefix] = (subnet ?? '').split('/');
    const option: PacketOpt = { code: 8, ip, sourcePrefixLength: Number(prefix) };
    additionals.push({
      type: 'OPT',
      name: '.',
      udpPayloadSize: udpPayloadSize ?? 1232,
      extendedRcode: 0,
      ednsVersion,
      flags: dnssecOk ? DNSSEC_OK : 0,
      flag_do: dnssecOk,
      options: subnet === undefined ? [] : [option],
    });
  }
  return encode({ type: 'query', id: 4711, flags: 0x100, questions: [{ name, type }], additionals });
}

/** Sends bytes over UDP: the response, or undefined when there is none in 200 ms. */
async function exchange(query: Buffer, from = host): Promise<Buffer | undefined> {
  const socket = createSocket('udp4');
  try {
    socket.bind(0, from);
    await once(socket, 'listening');
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(200) });
    socket.send(query, server.port, host);
    const [response] = await answered;
    return response;
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return undefined;
    throw error;
  } finally {
    socket.close();
  }
}

async function ask(query: Ask = {}, from = host): Promise<DecodedPacket> {
  const response = await exchange(queryOf(query), from);
  if (response === undefined) throw new Error('no response');
  return decode(response);
}

const rcodeOf = ({ flags = 0 }: DecodedPacket) => flags & 0xf;
const dataOf = ({ answers = [] }: DecodedPacket) => answers.map((it) => (it.type === 'OPT' ? it : it.data));
const optOf = ({ additionals = [] }: DecodedPacket) => additionals.find((it) => it.type === 'OPT');
const subnetOf = (packet: DecodedPacket) => optOf(packet)?.options.find((it) => it.code === 8);

it.each([
  ['us-east-1', '127.0.0.1'],
  ['eu-west-1', '127.0.0.2'],
  ['ap-southeast-1', '127.0.0.3'],
] as const)('sends a client in %s to the region there', async (region, address) => {
  const { ipv4, ipv6, loopback } = CLIENT_SUBNETS[region];
  const byIpv4 = await ask({ subnet: ipv4 });
  expect(dataOf(byIpv4)).toEqual([address]);
  expect(byIpv4).toMatchObject({ id: 4711, flag_qr: true, flag_aa: true, flag_tc: false, flag_rd: true });
  expect(byIpv4.answers).toMatchObject([{ name: globalName, ttl: 60 }]);
  expect(dataOf(await ask({ subnet: ipv6 }))).toEqual([address]);
  expect(dataOf(await ask({}, loopback.replace('.0/24', '.9')))).toEqual([address]);
});

it('sends a client in a region that has none of ours to the nearest one', async () => {
  expect(dataOf(await ask({ subnet: CLIENT_SUBNETS['ap-northeast-1'].ipv4 }))).toEqual(['127.0.0.3']);
});

it('treats a client in no known subnet as being at the first region', async () => {
  expect(dataOf(await ask())).toEqual(['127.0.0.1']);
  expect(dataOf(await ask({ subnet: '8.8.8.0/24' }))).toEqual(['127.0.0.1']);
});

it('passes over an unhealthy region until it is healthy again', async () => {
  const { ipv4: subnet } = CLIENT_SUBNETS['eu-west-1'];
  unhealthy.add('eu-west-1');
  expect(dataOf(await ask({ subnet }))).toEqual(['127.0.0.1']);
  unhealthy.add('us-east-1');
  expect(dataOf(await ask({ subnet }))).toEqual(['127.0.0.3']);
  unhealthy.add('ap-southeast-1');
  expect(dataOf(await ask({ subnet })), 'none healthy: all are candidates').toEqual(['127.0.0.2']);
  unhealthy.clear();
  expect(dataOf(await ask({ subnet }))).toEqual(['127.0.0.2']);
});

it('answers the regional names with their own address, healthy or not', async () => {
  unhealthy.add('eu-west-1');
  const response = await ask({ name: 'EU-west-1.Meridian.test', subnet: CLIENT_SUBNETS['us-east-1'].ipv4 });
  expect(response.answers).toMatchObject([{ name: 'EU-west-1.Meridian.test', data: '127.0.0.2' }]);
  expect(subnetOf(response)).toMatchObject({ scopePrefixLength: 0 });
});

it('tells the chosen region, its name and its port', async () => {
  const { ipv4: subnet } = CLIENT_SUBNETS['eu-west-1'];
  expect(dataOf(await ask({ type: 'TXT', subnet }))).toEqual([[Buffer.from('eu-west-1')]]);
  const service = await ask({ name: `_meridian._tcp.${globalName}`, type: 'SRV', subnet });
  expect(dataOf(service)).toMatchObject([{ target: 'eu-west-1.meridian.test', port: 8102 }]);
  expect(service.additionals).toMatchObject([
    { name: 'eu-west-1.meridian.test', data: '127.0.0.2' },
    { type: 'OPT' },
  ]);
});

it('answers AAAA where a region has IPv6, and no data elsewhere', async () => {
  extra = { 'eu-west-1': { ipv6: '::1' } };
  const { ipv4: subnet } = CLIENT_SUBNETS['eu-west-1'];
  expect(dataOf(await ask({ type: 'AAAA', subnet }))).toEqual(['::1']);
  expect(dataOf(await ask({ subnet }))).toEqual(['127.0.0.2']);
  const none = await ask({ type: 'AAAA' });
  expect([rcodeOf(none), none.answers, none.authorities?.[0]?.type]).toEqual([0, [], 'SOA']);
});

it.each([
  ['nobody.meridian.test', 3, true],
  ['nobody.live.meridian.test', 3, true],
  ['_tcp.live.meridian.test', 0, true], // a name exists when something is below it
  ['meridian.test', 0, true],
  ['example.com', 5, false],
  ['notmeridian.test', 5, false],
  ['test', 5, false],
  ['.', 5, false],
])('answers for %s with code %i', async (name, rcode, authoritative) => {
  const response = await ask({ name });
  expect([rcodeOf(response), response.flag_aa, response.answers]).toEqual([rcode, authoritative, []]);
  expect(response.authorities?.map(({ type }) => type)).toEqual(authoritative ? ['SOA'] : []);
});

it('repeats the client subnet with the length that the answer is good for', async () => {
  expect(subnetOf(await ask({ subnet: '198.18.2.77/32' }))).toMatchObject({
    family: 1,
    ip: '198.18.2.77',
    sourcePrefixLength: 32,
    scopePrefixLength: 24,
  });
  expect(subnetOf(await ask({ subnet: '2001:db8:2::/56' }))).toMatchObject({
    family: 2,
    ip: '2001:db8:2::',
    sourcePrefixLength: 56,
    scopePrefixLength: 48,
  });
});

it('places a client that hides its address by the source address', async () => {
  const response = await ask({ subnet: '0.0.0.0/0' }, '127.18.2.1');
  expect(dataOf(response)).toEqual(['127.0.0.2']);
  expect(subnetOf(response)).toMatchObject({ sourcePrefixLength: 0, scopePrefixLength: 0 });
});

it('speaks EDNS only with those who do, and only version 0', async () => {
  expect((await ask()).additionals).toEqual([]);
  expect(optOf(await ask({ udpPayloadSize: 1232 }))).toMatchObject({ flag_do: false, options: [] });
  expect(optOf(await ask({ dnssecOk: true }))).toMatchObject({ flag_do: true }); // to be repeated: RFC 3225
  const badVersion = await ask({ ednsVersion: 1 });
  expect([rcodeOf(badVersion), optOf(badVersion)?.extendedRcode]).toEqual([0, 1]); // 16, BADVERS
});

it('sets TC when an answer does not fit, and gives it to who takes more or asks over TCP', async () => {
  await server.close();
  const long = `${`${'x'.repeat(60)}.`.repeat(3)}meridian.test`;
  server = await start({ globalName: long });
  extra = { 'us-east-1': { name: `us-east-1.${long}` } };
  const name = `_meridian._tcp.${long}`;
  for (const small of [
    await ask({ name, type: 'SRV' }),
    await ask({ name, type: 'SRV', udpPayloadSize: 100 }),
  ]) {
    expect([small.flag_tc, small.answers]).toEqual([true, []]);
  }
  expect(await ask({ name, type: 'SRV', udpPayloadSize: 4096 })).toMatchObject({
    flag_tc: false,
    answers: [{}],
  });
  const [overTcp] = await askOverTcp([queryOf({ name, type: 'SRV' })]);
  expect(overTcp).toMatchObject({ flag_tc: false, answers: [{ data: { port: 8101 } }] });
});

it('survives messages that it cannot or will not read', async () => {
  const good = queryOf({ subnet: '198.18.2.0/24' });
  const patched = (offset: number, value: number) => good.map((byte, at) => (at === offset ? value : byte));
  const prefix = good.length - 5; // family, PREFIX, scope, three octets of address
  const formErr = [
    good.subarray(0, 12),
    good.subarray(0, 20),
    good.subarray(0, good.length - 1),
    patched(5, 2), // two questions
    patched(13, 0xff), // a name that is not ASCII
    patched(prefix, 40), // longer than IPv4
    patched(prefix, 16), // fewer octets than sent
    patched(prefix, 23).map((byte, at) => (at === good.length - 1 ? 0x01 : byte)), // bits beyond the prefix
    patched(prefix - 1, 3), // no such family
  ];
  for (const [n, query] of formErr.entries()) {
    const response = await exchange(Buffer.from(query));
    expect(response && rcodeOf(decode(response)), `message ${n}`).toBe(1);
  }
  const chaos = await exchange(
    Buffer.from(encode({ questions: [{ name: globalName, type: 'TXT', class: 'CH' }] })),
  );
  expect(chaos && rcodeOf(decode(chaos))).toBe(5);
  const notify = await exchange(Buffer.from(patched(2, 0x20)));
  expect(notify && rcodeOf(decode(notify))).toBe(4);
  expect(await exchange(good.subarray(0, 11)), 'no header').toBeUndefined();
  expect(await exchange(Buffer.alloc(0))).toBeUndefined();
  expect(await exchange(Buffer.from(patched(2, 0x80))), 'a response').toBeUndefined();
  expect(dataOf(await ask())).toEqual(['127.0.0.1']);
  expect(logged).toEqual([]);
});

it('answers SERVFAIL and says why when the regions cannot be read', async () => {
  await server.close();
  server = await start({
    regions: () => {
      throw new Error('no regions today');
    },
  });
  expect(rcodeOf(await ask())).toBe(2);
  expect(logged).toEqual([expect.stringContaining('no regions today')]);
});

/** Sends messages on one connection in odd pieces: the responses, in order. */
async function askOverTcp(queries: Buffer[]): Promise<DecodedPacket[]> {
  const socket = connect(server.port, host).setNoDelay();
  const framed = Buffer.concat(
    queries.map((it) => Buffer.concat([Buffer.from([it.length >> 8, it.length & 0xff]), it])),
  );
  for (const piece of [framed.subarray(0, 1), framed.subarray(1, 7), framed.subarray(7)]) {
    socket.write(piece);
    await new Promise((resume) => setTimeout(resume, 10));
  }
  const responses: DecodedPacket[] = [];
  let received: Buffer = Buffer.alloc(0);
  for await (const chunk of socket) {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      responses.push(decode(received.subarray(2, end)));
      received = received.subarray(end);
    }
    if (responses.length === queries.length) break; // which closes the connection
  }
  return responses;
}

it('answers over TCP, several queries on one connection', async () => {
  const subnets = [CLIENT_SUBNETS['ap-southeast-1'].ipv4, CLIENT_SUBNETS['eu-west-1'].ipv6];
  const responses = await askOverTcp(subnets.map((subnet) => queryOf({ subnet })));
  expect(responses.map(dataOf)).toEqual([['127.0.0.3'], ['127.0.0.2']]);
});

it('names the address when its port is taken, for UDP and for TCP', async () => {
  const refusal = {
    message: expect.stringContaining(`127.0.0.1:${server.port}`),
    cause: { code: 'EADDRINUSE' },
  };
  await expect(start({ port: server.port })).rejects.toMatchObject(refusal);

  const other = createServer().listen(0, host);
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await expect(start({ port })).rejects.toMatchObject({
    message: expect.stringContaining(`${host}:${port}`),
  });
  other.close();
  await once(other, 'close');
  await (await start({ port })).close(); // the refused start left nothing behind
});

it('refuses a global name without a zone', async () => {
  await expect(start({ globalName: 'live' })).rejects.toThrow('"live"');
});

it('closes once, with connections open, and frees the port', async () => {
  const socket = connect(server.port, host);
  await once(socket, 'connect');
  const gone = once(socket, 'close');
  await Promise.all([server.close(), server.close()]);
  await server.close();
  await gone;
  await (await start({ port: server.port })).close();
});
