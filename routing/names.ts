// The rules for the names that travel through every part: streams, regions and nodes.

import * as z from 'zod';

/**
 * A stream's name: 1 to 128 of `A-Z a-z 0-9 . _ ~ -` (RFC 3986's unreserved characters, so that a name is the
 * same inside and outside a URL), beginning with a letter or a digit.
 */
export const streamName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$/,
    'a stream name is 1 to 128 characters of A-Z a-z 0-9 . _ ~ - and begins with a letter or a digit',
  );

/** A region's id: the AWS region name, e.g. `eu-west-1` or `us-gov-west-1`. */
export const regionId = z
  .string()
  .regex(/^[a-z]{2,4}(-[a-z]+)+-\d$/, 'a region id is an AWS region name such as eu-west-1');

/** A node's id: the EC2 instance id on AWS, `<region>-<group>-<n>` on one machine. */
export const nodeId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/, 'a node id is 1 to 64 of A-Z a-z 0-9 -');

/** One start of a node's process: new at every start, so that what an earlier start held is known to be void. */
export const incarnation = z.string().min(8).max(64);

/** Where an instance's Auto Scaling Group waits: until its node serves, and until it is drained. */
export type LifecycleHook = 'launch' | 'drain';
