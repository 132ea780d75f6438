// Whom a request comes from, as far as rate limits can tell: its address.

import { isIPv6 } from 'node:net';
import type { HttpEvent } from './endpoint.ts';

/**
 * The address that API Gateway saw, as {@link addressKey} has it. No header is asked: a client writes what it likes into
 * `X-Forwarded-For`.
 */
export const sourceOf = ({ requestContext }: HttpEvent): string => addressKey(requestContext.http.sourceIp);

/**
 * What an address counts as: an IPv4 address itself, also where it is mapped into IPv6 (RFC 4291 section 2.5.5.2); an
 * IPv6 address its /64, the least that a subscriber has (RFC 6177), within which it takes a new one as it likes (RFC 8981).
 */
export function addressKey(address: string): string {
  if (!isIPv6(address)) return address;
  const [withoutZone = ''] = address.split('%', 1);
  // URLs write it in one way: compressed, in small letters, an IPv4 part as hexadecimal.
  const [head = '', tail] = new URL(`http://[${withoutZone}]`).hostname.slice(1, -1).split('::');
  const [left, right] = [groups(head), groups(tail)];
  const all = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  if (all.slice(0, 6).join(':') === '0:0:0:0:0:ffff') {
    const [high = 0, low = 0] = all.slice(6).map((group) => Number.parseInt(group, 16));
    return [high >> 8, high & 255, low >> 8, low & 255].join('.');
  }
  return `${all.slice(0, 4).join(':')}::/64`;
}

const groups = (text = ''): string[] => (text === '' ? [] : text.split(':'));
