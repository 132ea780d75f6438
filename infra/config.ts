// The form of a deployment's configuration, its defaults, and what is refused before anything is synthesised.

import { BlockList } from 'node:net';
import { RegionInfo } from 'aws-cdk-lib/region-info';
import * as z from 'zod';
import { API_ROUTES } from '#functions/routes.ts';
import { regionId } from '#routing/names.ts';
import { rateLimits } from '#routing/request-limits.ts';
import { timingFrom, timingVariable } from '#routing/timing.ts';

const domainName = z
  .string()
  .regex(
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/,
    'a domain name in small letters',
  );

/** Instances of one group. */
const capacity = z.number().int().min(1).max(5_000);

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** The fields of a time as Auto Scaling's scheduled actions take it, in their order (Amazon EC2 Auto Scaling user guide). */
const CRON_FIELDS: readonly { name: string; least: number; most: number; names?: readonly string[] }[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: MONTHS },
  { name: 'day of week', least: 0, most: 6, names: DAYS },
];

/** What is wrong with `30 18 * * MON-FRI`; undefined when nothing is. */
function cronProblem(text: string): string | undefined {
  const fields = text.split(' ');
  if (fields.length !== CRON_FIELDS.length) return 'five fields: minute hour day month weekday';
  for (const [index, { name, least, most, names = [] }] of CRON_FIELDS.entries()) {
    const value = (word: string): number =>
      names.includes(word) ? names.indexOf(word) + least : /^\d{1,2}$/.test(word) ? Number(word) : Number.NaN;
    const inRange = (number: number) => number >= least && number <= most;
    const rightPart = (part: string): boolean => {
      const [, range = '', step = '1'] = /^([^/]+)(?:\/(\d{1,2}))?$/.exec(part) ?? [];
      if (Number(step) < 1) return false;
      if (range === '*') return true;
      const [from = '', to = from, ...more] = range.split('-');
      return more.length === 0 && inRange(value(from)) && inRange(value(to)) && value(from) <= value(to);
    };
    const field = fields[index] ?? '';
    if (!field.split(',').every(rightPart)) {
      const also = names.length > 0 ? ` or ${names[0]} to ${names.at(-1)}` : '';
      return `${name} ${field}: from ${least} to ${most}${also}, alone, as a range, a list or a step`;
    }
  }
  return undefined;
}

const schedule = z.strictObject({
  /** As `0 18 * * 5`: minute hour day month weekday, in UTC. */
  cron: z.string().superRefine((text, context) => {
    const message = cronProblem(text);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  }),
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
      .regex(
        /^[a-z][a-z0-9-]*\.(nano|micro|small|medium|(\d{0,3}x)?large|metal(-\d+xl)?)$/,
        'an EC2 instance type such as c7g.xlarge',
      ),
    min: capacity,
    /** More than `min`: a new version starts its first node before it ends an old one. */
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
    if (min >= max)
      issue(
        ['max'],
        `must be more than min: with ${max}, a new version would end a node before another serves`,
      );
    const leasts = schedules.flatMap((at) => at.min ?? []);
    // A size stays until the next entry that has one.
    if (leasts.length > 0 && Math.min(...leasts) === Math.max(...leasts) && leasts[0] !== min)
      issue(['schedules'], `min becomes ${leasts[0]} and stays so: add an entry with min ${min}`);
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

/** Whether a range has the first address of another. */
function contains(outer: string, inner: string): boolean {
  const range = new BlockList();
  range.addSubnet(...parts(outer));
  return range.check(parts(inner)[0]);
}

const overlap = (one: string, other: string): boolean => contains(one, other) || contains(other, one);

/** Where nothing else can be that a node or a function must reach (RFC 1918, RFC 6598). */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'];

/** ARNs of ours name the partition aws; China, GovCloud and the sovereign clouds are others. */
const awsRegion = regionId.superRefine((id, context) => {
  const { partition } = RegionInfo.get(id);
  const issue = (message: string) => context.addIssue({ code: 'custom', message });
  if (partition === undefined) issue(`aws-cdk-lib knows no region ${id}`);
  else if (partition !== 'aws')
    issue(`${id} is in the partition ${partition}, which Meridian does not support`);
});

const region = z.strictObject({
  id: awsRegion,
  /** The VPC's IPv4 range; regions whose VPCs are to be peered need different ones. */
  cidr: z
    .cidrv4('an IPv4 range, as 10.1.0.0/16')
    .refine(
      (text) => parts(text)[1] >= 16 && parts(text)[1] <= 22,
      'from /16 to /22: it holds two subnets a zone',
    )
    .refine((text) => PRIVATE.some((range) => contains(range, text)), `within ${PRIVATE.join(', ')}`),
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

const zone = z.strictObject({
  id: z.string().regex(/^Z[A-Z0-9]{5,31}$/, 'a hosted zone id such as Z0123456789ABC'),
  name: domainName,
});

const FUNCTIONS = [...new Set(API_ROUTES.map((route) => route.function))];

const throttle = z.strictObject({ rate: z.number().min(1), burst: z.number().int().min(1) });

/** Characters of a name that a certificate can be for (AWS Certificate Manager, RequestCertificate). */
const LONGEST_NAME = 64;

const deploymentSchema = z
  .strictObject({
    account: z.string().regex(/^\d{12}$/, 'an AWS account id of 12 digits'),
    /** The public hosted zone that all names are made in. */
    zone,
    /** The name that publishers and players use; latency records lead it to the nearest region. */
    globalName: domainName,
    /** Where the global stack's own parts stand: the first copy of the global tables and of the secrets. */
    globalRegion: awsRegion,
    regions: z.array(region).min(1),
    /** The regions' VPCs are peered, by you: media then crosses between private addresses. */
    peered: z.boolean().default(false),
    /** Where alarms go, by e-mail; nowhere when not given. */
    alarmEmail: z.email().optional(),
    /** STUN servers that clients are told of. */
    stun: z.array(z.string().regex(/^stuns?:\S+$/, 'a stun: or stuns: URL')).default([]),
    /**
     * The name of a secret that holds MERIDIAN_ICE_SERVERS, for TURN servers with their secrets; instead of `stun`. It is
     * yours, and stands in every region under this name.
     */
    iceServersSecret: z
      .string()
      .regex(/^[A-Za-z0-9/_+=.@-]{1,512}$/, 'a secret’s name, not its ARN')
      .optional(),
    /** Milliseconds by name, where not routing/timing.ts's default: `{ unusedStreamTimeout: 120_000 }`. */
    timings: timings.default({}),
    /** Whether a redundant publisher takes its stream back from one of a lower priority when it is steady again. */
    failback: z.boolean().default(true),
    /** Requests a second of one region's API, and how many more may come at once. */
    throttle: throttle.default({ rate: 500, burst: 1_000 }),
    /** What one address, token or session may ask of one function or node, where not routing/request-limits.ts's default. */
    rateLimits: rateLimits.prefault({}),
    /**
     * Executions at once of one region's functions, reserved and at the most. By default of the two that ask every region
     * and node: a loop of somebody's must not take the executions that joining needs.
     */
    concurrency: z
      .partialRecord(z.enum(FUNCTIONS), z.number().int().min(1).max(10_000))
      .default({ api: 50, 'cluster-nodes': 20 }),
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
        const own = `${id}.${zone.name}`;
        if (globalName === own) issue(['globalName'], `${globalName} is a region's own name`);
        if (own.length > LONGEST_NAME) issue(['zone', 'name'], tooLong(own));
      }
      if ((timings.drain ?? 0) > LONGEST_DRAIN)
        issue(['timings', 'drain'], `an instance that ends is held for ${LONGEST_DRAIN} ms at the most`);
      if (!regions.some(({ id }) => id === globalRegion))
        issue(['globalRegion'], `${globalRegion} is none of the regions`);
      if (globalName.length > LONGEST_NAME) issue(['globalName'], tooLong(globalName));
      if (!globalName.endsWith(`.${zone.name}`))
        issue(['globalName'], `${globalName} is not in the zone ${zone.name}`);
      if (stun.length > 0 && iceServersSecret !== undefined) issue(['stun'], 'give this or iceServersSecret');
    },
  );

export type DeploymentInput = z.input<typeof deploymentSchema>;
export type Deployment = z.output<typeof deploymentSchema>;

const tooLong = (name: string): string =>
  `${name} has ${name.length} characters: a certificate can be for a name of ${LONGEST_NAME}`;

/** The longest first: `zoness` is `zones` rather than `zone`. */
const KEYS = [deploymentSchema, zone, throttle, rateLimits, region, fleet, schedule]
  .flatMap(({ shape }) => Object.keys(shape))
  .toSorted((one, other) => other.length - one.length);

/** The key that was meant, where one begins with the other: `warm` for `warmPool`. */
function unknownKey(key: string): string {
  const meant = KEYS.find((known) => known !== key && (key.startsWith(known) || known.startsWith(key)));
  return `Unrecognized key: "${key}"${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}

/** @throws Error with a line for each wrong value that names its path. */
export function deploymentFrom(input: unknown): Deployment {
  const parsed = deploymentSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.flatMap((issue) => {
    const messages = issue.code === 'unrecognized_keys' ? issue.keys.map(unknownKey) : [issue.message];
    return messages.map((message) => `  ${pathText(issue.path)}: ${message}`);
  });
  throw new Error(`infra/deployment.ts is wrong:\n${lines.join('\n')}`);
}

/** `regions[1].cidr` */
const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`))
    .join('');

/** A region's own name, which its API answers under. */
export const regionName = ({ zone }: Deployment, id: string): string => `${id}.${zone.name}`;
