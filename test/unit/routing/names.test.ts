// The names that travel through every part: what is one, and what is not.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { incarnation, nodeId, regionId, streamName } from '#routing/names.ts';

const takes = (schema: typeof streamName, text: string) => schema.safeParse(text).success;

it.each(['a', '7', 'Concert_2026.main~a-b', 'x'.repeat(128)])('%s is a stream name', (name) => {
  expect(takes(streamName, name)).toBe(true);
});

it.each(['', '.', '..', '-x', '_x', '~x', 'a b', 'a/b', 'a%2Fb', 'a#', 'é', 'a\n', '*', 'x'.repeat(129)])(
  '%j is no stream name',
  (name) => {
    expect(takes(streamName, name)).toBe(false);
  },
);

it('a stream name is the same inside and outside a URL, and splits no key', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9._~#/%-]{1,20}$/), (text) => {
      if (!takes(streamName, text)) return;
      expect(encodeURIComponent(text)).toBe(text);
      expect(new URL(`/whip/${text}`, 'http://x').pathname).toBe(`/whip/${text}`);
      expect(text).not.toContain('#');
    }),
  );
});

it.each(['us-east-1', 'ap-southeast-2', 'us-gov-west-1', 'cn-north-1', 'mx-central-1'])(
  '%s is a region',
  (id) => {
    expect(takes(regionId, id)).toBe(true);
  },
);

it.each(['', 'europe', 'eu-west', 'EU-WEST-1', 'eu-west-1a', 'eu-west-1#0', 'us-east-1-1', '-east-1'])(
  '%j is no region',
  (id) => {
    expect(takes(regionId, id)).toBe(false);
  },
);

it('an EC2 instance id and a local node’s are node ids', () => {
  expect(takes(nodeId, 'i-0abc1234def567890')).toBe(true);
  expect(takes(nodeId, 'eu-west-1-origin-1')).toBe(true);
  expect(
    takes(nodeId, '-x') || takes(nodeId, 'a_b') || takes(nodeId, '') || takes(nodeId, 'x'.repeat(65)),
  ).toBe(false);
});

it('an incarnation is long enough not to repeat', () => {
  expect(takes(incarnation, '1234567')).toBe(false);
  expect(takes(incarnation, crypto.randomUUID())).toBe(true);
});
