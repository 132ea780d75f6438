// No message, however broken, makes the DNS server fail or send what a client cannot read.

import { decode, encode } from 'dns-packet';
import fc from 'fast-check';
import { it } from 'vitest';
import { answerMessage } from '#local/dns/message.ts';

const zone = {
  globalName: 'live.meridian.test',
  regions: [
    { id: 'us-east-1', name: 'us-east-1.meridian.test', ipv4: '127.0.0.1', port: 8101, healthy: true },
  ],
  ttl: 60,
};
const query = encode({
  type: 'query',
  questions: [{ name: zone.globalName, type: 'A' }],
  additionals: [
    {
      type: 'OPT',
      name: '.',
      udpPayloadSize: 1232,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: 0,
      flag_do: false,
      options: [{ code: 8, ip: '198.18.2.0', sourcePrefixLength: 24 }],
    },
  ],
});

const noise = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));
/** A good query with a few bytes changed, and perhaps cut short. */
const damaged = fc
  .tuple(
    fc.array(fc.tuple(fc.nat(query.length - 1), fc.nat(255)), { maxLength: 6 }),
    fc.oneof(fc.constant(query.length), fc.nat(query.length)),
  )
  .map(([changes, length]) => {
    const bytes = Buffer.from(query);
    for (const [at, value] of changes) bytes[at] = value;
    return bytes.subarray(0, length);
  });

it('answers any message with a readable response of the same id, or not at all', () => {
  fc.assert(
    fc.property(fc.oneof(noise, damaged), fc.constantFrom('udp', 'tcp'), (message, transport) => {
      const response = answerMessage(message, '127.0.0.1', transport, zone);
      return response === undefined || decode(response).id === message.readUInt16BE(0);
    }),
    { numRuns: 20_000 },
  );
});
