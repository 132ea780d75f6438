// The form of a deployment's configuration, its defaults, and what is refused before anything is synthesised.

import { BlockList } from 'node:net';
import * as z from 'zod';
import { regionId } from '#routing/names.ts';
import { timingFrom, timingVariable } from '#routing/timing.ts';

const domainName = z
  .string()
  .regex(
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/,
    'a domain name in small letters',
  );

/** Instances of one group. */
const capacity = z.number().int().min(1).max(5_000);

/** A number, a list, a range or a step, as Auto Scaling's scheduled actions take them. */
const CRON_FIELD = /^(\*|\d{1,2}(-\d{1,2})?)(\/\d{1,2})?(,\d{1,2}(-\d{1,2})?(\/\d{1,2})?)*$/;

const schedule = z.strictObject({
  /** As `0 18 * * 5`: minute hour day month weekday, in UTC. */
  cron: z
    .string()
    .refine(
      (text) => text.split(' ').length === 5 && text.split(' ').every((field) => CRON_FIELD.test(field)),
      'five fields of numbers: minute hour day month weekday',
    ),
  min: capacity.optional(),
  max: capacity.optional(),
  desired: capacity.optional(),
});

/** The size of one group of nodes in one region, and what it follows. */
const fleet = z
  .strictObject({
    /** An EC2 instance type; its name tells the architecture. */
    instanceType: z
      .string()
      .regex(/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/, 'an EC2 instance type such as c7g.xlarge'),
    min: capacity,
    max: capacity,
    /** Percent of the instances' CPU that target tracking keeps. */
    targetCpu: z.number().min(10).max(80).default(50),
    /** Stopped instances that are ready to start; 0: none. */
    warm: z.number().int().min(0).max(5_000).default(0),
    /** Sizes at certain times, for events that are known before. */
    schedules: z.array(schedule).default([]),
  })
  .superRefine(({ min, max, schedules }, context) => {
    const issue = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    if (min > max) issue(['max'], 'less than min');
    for (const [index, at] of schedules.entries()) {
      const path = ['schedules', index];
      const sizes = [at.min, at.max, at.desired].filter((size) => size !== undefined);
      if (sizes.length === 0) issue(path, 'changes nothing: give min, max or desired');
      const [least, most] = [at.min ?? min, at.max ?? max];
      if (least > most) issue(path, `min ${least} is more than max ${most}`);
      if (at.desired !== undefined && (at.desired < least || at.desired > most)) {
        issue([...path, 'desired'], `not from min ${least} to max ${most}`);
      }
    }
  });
export type FleetConfig = z.infer<typeof fleet>;

/** The network and length of `10.1.0.0/16`. */
const parts = (cidr: string): [string, number] => {
  const [network = '', length = ''] = cidr.split('/');
  return [network, Number(length)];
};

/** Whether two ranges share an address. */
function overlap(one: string, other: string): boolean {
  const contains = (outer: string, inner: string) => {
    const range = new BlockList();
    range.addSubnet(...parts(outer));
    return range.check(parts(inner)[0]);
  };
  return contains(one, other) || contains(other, one);
}

const region = z.strictObject({
  id: regionId,
  /** The VPC's IPv4 range; regions whose VPCs are to be peered need different ones. */
  cidr: z
    .cidrv4('an IPv4 range, as 10.1.0.0/16')
    .refine(
      (text) => parts(text)[1] >= 16 && parts(text)[1] <= 22,
      'from /16 to /22: it holds two subnets a zone',
    ),
  /** Letters of the availability zones; at least two, as a zone may fail. */
  zones: z
    .array(z.string().regex(/^[a-z]$/, 'one letter'))
    .min(2)
    .max(4)
    .refine((letters) => new Set(letters).size === letters.length, 'each letter once')
    .default(['a', 'b']),
  /** Nodes that take publishers. */
  origin: fleet.prefault({ instanceType: 'c7g.large', min: 1, max: 4 }),
  /** Nodes that take viewers, and become secondary origins. */
  edge: fleet.prefault({ instanceType: 'c7g.large', min: 1, max: 20 }),
});
export type RegionConfig = z.infer<typeof region>;

const timings = z.record(z.string(), z.number().int()).superRefine((given, context) => {
  const known = Object.keys(timingFrom({}));
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  for (const name of unknown) {
    context.addIssue({
      code: 'custom',
      path: [name],
      message: `there is no such timing; there are ${known.join(', ')}`,
    });
  }
  try {
    timingFrom(timingVariables(given));
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
  }
});

/** As nodes and functions read them. */
export const timingVariables = (given: Readonly<Record<string, number>>): Record<string, string> =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [timingVariable(name), String(value)]));

/** Milliseconds: Auto Scaling's longest hook is two hours, and the node must end before it. */
const LONGEST_DRAIN = 6_600_000;

const deploymentSchema = z
  .strictObject({
    account: z.string().regex(/^\d{12}$/, 'an AWS account id of 12 digits'),
    /** The public hosted zone that all names are made in. */
    zone: z.strictObject({
      id: z.string().regex(/^Z[A-Z0-9]{5,31}$/, 'a hosted zone id such as Z0123456789ABC'),
      name: domainName,
    }),
    /** The name that publishers and players use; latency records lead it to the nearest region. */
    globalName: domainName,
    /** Where the global stack's own parts stand: the first copy of the global tables and of the secrets. */
    globalRegion: regionId,
    regions: z.array(region).min(1),
    /** The regions' VPCs are peered, by you: media then crosses between private addresses. */
    peered: z.boolean().default(false),
    /** Where alarms go, by e-mail; nowhere when not given. */
    alarmEmail: z.email().optional(),
    /** STUN servers that clients are told of. */
    stun: z.array(z.string().regex(/^stuns?:\S+$/, 'a stun: or stuns: URL')).default([]),
    /** The name of a secret that holds MERIDIAN_ICE_SERVERS, for TURN servers with their secrets; instead of `stun`. */
    iceServersSecret: z.string().min(1).optional(),
    /** Milliseconds by name, where not routing/timing.ts's default: `{ unusedStreamTimeout: 120_000 }`. */
    timings: timings.default({}),
    /** Requests a second of one region's API, and how many more may come at once. */
    throttle: z
      .strictObject({ rate: z.number().min(1), burst: z.number().int().min(1) })
      .default({ rate: 500, burst: 1_000 }),
  })
  .superRefine(
    ({ regions, globalRegion, globalName, zone, peered, stun, iceServersSecret, timings }, context) => {
      const issue = (path: (string | number)[], message: string) =>
        context.addIssue({ code: 'custom', path, message });
      for (const [index, { id, cidr }] of regions.entries()) {
        const before = regions.slice(0, index);
        if (before.some((other) => other.id === id))
          issue(['regions', index, 'id'], `${id} stands here twice`);
        if (peered && before.some((other) => overlap(other.cidr, cidr)))
          issue(
            ['regions', index, 'cidr'],
            `${cidr} shares addresses with another region's, and they are peered`,
          );
        if (globalName === `${id}.${zone.name}`)
          issue(['globalName'], `${globalName} is a region's own name`);
      }
      if ((timings.drain ?? 0) > LONGEST_DRAIN)
        issue(['timings', 'drain'], `an instance that ends is held for ${LONGEST_DRAIN} ms at the most`);
      if (!regions.some(({ id }) => id === globalRegion))
        issue(['globalRegion'], `${globalRegion} is none of the regions`);
      if (!globalName.endsWith(`.${zone.name}`))
        issue(['globalName'], `${globalName} is not in the zone ${zone.name}`);
      if (stun.length > 0 && iceServersSecret !== undefined) issue(['stun'], 'give this or iceServersSecret');
    },
  );

export type DeploymentInput = z.input<typeof deploymentSchema>;
export type Deployment = z.output<typeof deploymentSchema>;

/** @throws Error with a line for each wrong value that names its path. */
export function deploymentFrom(input: unknown): Deployment {
  const parsed = deploymentSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map(({ path, message }) => `  ${pathText(path)}: ${message}`);
  throw new Error(`infra/deployment.ts is wrong:\n${lines.join('\n')}`);
}

/** `regions[1].cidr` */
const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('');

/** A region's own name, which its API answers under. */
export const regionName = ({ zone }: Deployment, id: string): string => `${id}.${zone.name}`;
