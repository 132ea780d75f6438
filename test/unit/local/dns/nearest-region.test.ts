// Which region a client is sent to, and the data behind it.

import { expect, it } from 'vitest';
import { CLIENT_SUBNETS, regionOfClient, SUBNET_PREFIX } from '#local/dns/client-subnets.ts';
import { MEASURED_REGIONS, roundTripMs } from '#local/dns/inter-region-latency.ts';
import { nearestFirst } from '#local/dns/nearest-region.ts';

const ids = (regions: { id: string }[]) => regions.map(({ id }) => id);

it('orders healthy regions by round trip from the client', () => {
  const regions = ['us-east-1', 'eu-west-1', 'ap-southeast-1'].map((id) => ({ id, healthy: true }));
  expect(ids(nearestFirst(regions, 'us-east-1'))).toEqual(['us-east-1', 'eu-west-1', 'ap-southeast-1']);
  expect(ids(nearestFirst(regions, 'ap-northeast-1'))).toEqual(['ap-southeast-1', 'us-east-1', 'eu-west-1']);
  expect(ids(nearestFirst(regions, 'eu-central-1'))).toEqual(['eu-west-1', 'us-east-1', 'ap-southeast-1']);
});

it('puts a far healthy region before a near unhealthy one', () => {
  const regions = [
    { id: 'eu-west-1', healthy: false },
    { id: 'ap-southeast-1', healthy: true },
    { id: 'us-east-1', healthy: true },
  ];
  expect(ids(nearestFirst(regions, 'eu-west-1'))).toEqual(['us-east-1', 'ap-southeast-1', 'eu-west-1']);
});

it('treats all regions as candidates when none is healthy', () => {
  const regions = ['us-east-1', 'eu-west-1'].map((id) => ({ id, healthy: false }));
  expect(ids(nearestFirst(regions, 'eu-west-1'))).toEqual(['eu-west-1', 'us-east-1']);
});

it('puts regions without a known round trip last, and the client’s own first even so', () => {
  const regions = ['xx-new-2', 'xx-new-1', 'us-east-1'].map((id) => ({ id, healthy: true }));
  expect(ids(nearestFirst(regions, 'us-west-2'))).toEqual(['us-east-1', 'xx-new-2', 'xx-new-1']);
  expect(ids(nearestFirst(regions, 'xx-new-1'))).toEqual(['xx-new-1', 'xx-new-2', 'us-east-1']);
});

it('has a plausible round trip for every pair of regions, the same both ways', () => {
  for (const a of MEASURED_REGIONS) {
    for (const b of MEASURED_REGIONS) {
      const ms = roundTripMs(a, b);
      expect(ms, `${a} ${b}`).toBe(roundTripMs(b, a));
      if (a === b) expect(ms).toBe(0);
      else expect(ms, `${a} ${b}`).toSatisfy((it) => it >= 5 && it <= 450);
    }
  }
  expect(roundTripMs('eu-west-1', 'us-east-1')).toBe(70);
  expect(roundTripMs('us-east-1', 'xx-new-1')).toBeUndefined();
});

it('has subnets of one length per family for every measured region, none shared', () => {
  expect(Object.keys(CLIENT_SUBNETS).toSorted()).toEqual(MEASURED_REGIONS.toSorted());
  const all = Object.entries(CLIENT_SUBNETS).flatMap(([region, { ipv4, loopback, ipv6 }]) => {
    expect([ipv4, loopback, ipv6].map((it) => Number(it.split('/')[1]))).toEqual([
      SUBNET_PREFIX.ipv4,
      SUBNET_PREFIX.ipv4,
      SUBNET_PREFIX.ipv6,
    ]);
    for (const client of [
      ipv4.replace('.0/24', '.255'),
      loopback.replace('.0/24', '.1'),
      ipv6.replace('/48', '9'),
    ]) {
      expect(regionOfClient(client), client).toBe(region);
    }
    return [ipv4, loopback, ipv6];
  });
  expect(new Set(all).size).toBe(all.length);
});

it('places an IPv4 client of a dual-stack socket, and nobody outside the subnets', () => {
  expect(regionOfClient('::ffff:198.18.2.7')).toBe('eu-west-1');
  for (const stranger of ['127.0.0.1', '::1', '8.8.8.8', '2001:db8::1', 'fe80::1%eth0']) {
    expect(regionOfClient(stranger), stranger).toBeUndefined();
  }
});
