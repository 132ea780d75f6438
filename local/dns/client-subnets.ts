// Where a DNS client is: the made-up subnets that stand for clients near each AWS region, and the look-up in them.

import { BlockList, isIPv6 } from 'node:net';

interface ClientSubnets {
  /** For EDNS client subnet, from 198.18.0.0/15 (RFC 2544, benchmarks): no real client has such an address. */
  ipv4: string;
  /** Addresses of this machine (Linux): a client that binds to one is near the region without EDNS client subnet. */
  loopback: string;
  /** For EDNS client subnet, from 2001:db8::/32 (RFC 3849, documentation). */
  ipv6: string;
}

/** The subnets near each region; a new region is a new line. All are of the lengths in `SUBNET_PREFIX`. */
export const CLIENT_SUBNETS = {
  'us-east-1': { ipv4: '198.18.1.0/24', loopback: '127.18.1.0/24', ipv6: '2001:db8:1::/48' },
  'eu-west-1': { ipv4: '198.18.2.0/24', loopback: '127.18.2.0/24', ipv6: '2001:db8:2::/48' },
  'ap-southeast-1': { ipv4: '198.18.3.0/24', loopback: '127.18.3.0/24', ipv6: '2001:db8:3::/48' },
  'us-east-2': { ipv4: '198.18.4.0/24', loopback: '127.18.4.0/24', ipv6: '2001:db8:4::/48' },
  'us-west-1': { ipv4: '198.18.5.0/24', loopback: '127.18.5.0/24', ipv6: '2001:db8:5::/48' },
  'us-west-2': { ipv4: '198.18.6.0/24', loopback: '127.18.6.0/24', ipv6: '2001:db8:6::/48' },
  'ca-central-1': { ipv4: '198.18.7.0/24', loopback: '127.18.7.0/24', ipv6: '2001:db8:7::/48' },
  'ca-west-1': { ipv4: '198.18.8.0/24', loopback: '127.18.8.0/24', ipv6: '2001:db8:8::/48' },
  'mx-central-1': { ipv4: '198.18.9.0/24', loopback: '127.18.9.0/24', ipv6: '2001:db8:9::/48' },
  'sa-east-1': { ipv4: '198.18.10.0/24', loopback: '127.18.10.0/24', ipv6: '2001:db8:10::/48' },
  'eu-west-2': { ipv4: '198.18.11.0/24', loopback: '127.18.11.0/24', ipv6: '2001:db8:11::/48' },
  'eu-west-3': { ipv4: '198.18.12.0/24', loopback: '127.18.12.0/24', ipv6: '2001:db8:12::/48' },
  'eu-central-1': { ipv4: '198.18.13.0/24', loopback: '127.18.13.0/24', ipv6: '2001:db8:13::/48' },
  'eu-central-2': { ipv4: '198.18.14.0/24', loopback: '127.18.14.0/24', ipv6: '2001:db8:14::/48' },
  'eu-north-1': { ipv4: '198.18.15.0/24', loopback: '127.18.15.0/24', ipv6: '2001:db8:15::/48' },
  'eu-south-1': { ipv4: '198.18.16.0/24', loopback: '127.18.16.0/24', ipv6: '2001:db8:16::/48' },
  'eu-south-2': { ipv4: '198.18.17.0/24', loopback: '127.18.17.0/24', ipv6: '2001:db8:17::/48' },
  'il-central-1': { ipv4: '198.18.18.0/24', loopback: '127.18.18.0/24', ipv6: '2001:db8:18::/48' },
  'me-south-1': { ipv4: '198.18.19.0/24', loopback: '127.18.19.0/24', ipv6: '2001:db8:19::/48' },
  'me-central-1': { ipv4: '198.18.20.0/24', loopback: '127.18.20.0/24', ipv6: '2001:db8:20::/48' },
  'af-south-1': { ipv4: '198.18.21.0/24', loopback: '127.18.21.0/24', ipv6: '2001:db8:21::/48' },
  'ap-south-1': { ipv4: '198.18.22.0/24', loopback: '127.18.22.0/24', ipv6: '2001:db8:22::/48' },
  'ap-south-2': { ipv4: '198.18.23.0/24', loopback: '127.18.23.0/24', ipv6: '2001:db8:23::/48' },
  'ap-southeast-2': { ipv4: '198.18.24.0/24', loopback: '127.18.24.0/24', ipv6: '2001:db8:24::/48' },
  'ap-southeast-3': { ipv4: '198.18.25.0/24', loopback: '127.18.25.0/24', ipv6: '2001:db8:25::/48' },
  'ap-southeast-4': { ipv4: '198.18.26.0/24', loopback: '127.18.26.0/24', ipv6: '2001:db8:26::/48' },
  'ap-southeast-5': { ipv4: '198.18.27.0/24', loopback: '127.18.27.0/24', ipv6: '2001:db8:27::/48' },
  'ap-southeast-7': { ipv4: '198.18.28.0/24', loopback: '127.18.28.0/24', ipv6: '2001:db8:28::/48' },
  'ap-east-1': { ipv4: '198.18.29.0/24', loopback: '127.18.29.0/24', ipv6: '2001:db8:29::/48' },
  'ap-northeast-1': { ipv4: '198.18.30.0/24', loopback: '127.18.30.0/24', ipv6: '2001:db8:30::/48' },
  'ap-northeast-2': { ipv4: '198.18.31.0/24', loopback: '127.18.31.0/24', ipv6: '2001:db8:31::/48' },
  'ap-northeast-3': { ipv4: '198.18.32.0/24', loopback: '127.18.32.0/24', ipv6: '2001:db8:32::/48' },
} satisfies Readonly<Record<string, ClientSubnets>>;

/** The prefix length of every subnet here: addresses that agree this far are near the same region. */
export const SUBNET_PREFIX = { ipv4: 24, ipv6: 48 };

const lists = Object.entries(CLIENT_SUBNETS).map(([region, { ipv4, loopback, ipv6 }]) => {
  const list = new BlockList();
  for (const subnet of [ipv4, loopback]) list.addSubnet(networkOf(subnet), SUBNET_PREFIX.ipv4, 'ipv4');
  list.addSubnet(networkOf(ipv6), SUBNET_PREFIX.ipv6, 'ipv6');
  return { region, list };
});

/**
 * The region that a client is nearest to, or undefined when its address is in none of the subnets.
 *
 * @param address IPv4, IPv6, or IPv4 mapped into IPv6 as a dual-stack socket reports it.
 */
export function regionOfClient(address: string): string | undefined {
  return lists.find(({ list }) => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4'))?.region;
}

function networkOf(subnet: string): string {
  return subnet.slice(0, subnet.indexOf('/'));
}
