// The deployment's configuration: its defaults, and one clear error for every wrong value.

import { expect, it } from 'vitest';
import { type DeploymentInput, deploymentFrom, regionName } from '#infra/config.ts';
import { deployment } from '#infra/deployment.ts';
import { input } from './stacks.ts';

it('the one in the repository is a whole one', () => {
  expect(deploymentFrom(deployment).regions).toHaveLength(3);
});

it('a region needs a name and a range; all else has a default', () => {
  const [region] = deploymentFrom(input()).regions;
  expect(region).toMatchObject({
    zones: ['a', 'b'],
    origin: { instanceType: 'c7g.large', min: 1, max: 4, targetCpu: 50, warm: 0, schedules: [] },
    edge: { min: 1, max: 20 },
  });
});

it('a region’s own name stands in the zone', () => {
  expect(regionName(deploymentFrom(input()), 'eu-west-1')).toBe('eu-west-1.example.org');
});

const region = { id: 'us-east-1', cidr: '10.1.0.0/16' };
const sized = (instanceType: string) => ({ instanceType, min: 1, max: 2 });
const warmPool = { regions: [{ ...region, edge: { ...sized('c7g.large'), warmPool: 2 } }] };
const LONG_ZONE = `${'a'.repeat(51)}.org`;
const scheduled = (sizes: Record<string, number>) => ({
  instanceType: 'c7g.large',
  min: 1,
  max: 2,
  schedules: [{ cron: '0 18 * * 5', ...sizes }],
});

it.each<[string, Record<string, unknown>]>([
  ['account', { account: '12' }],
  ['zone.id', { zone: { id: 'zone', name: 'example.org' } }],
  ['globalName: live.example.net is not in the zone example.org', { globalName: 'live.example.net' }],
  ['globalRegion: ap-south-1 is none of the regions', { globalRegion: 'ap-south-1' }],
  ['regions', { regions: [] }],
  ['regions[0].id', { regions: [{ ...region, id: 'virginia' }] }],
  ['regions[0].cidr', { regions: [{ ...region, cidr: '10.1.0.0/8' }] }],
  ['regions[1].id: us-east-1 stands here twice', { regions: [region, { ...region, cidr: '10.9.0.0/16' }] }],
  [
    'regions[1].cidr: 10.1.4.0/22 shares addresses',
    { peered: true, regions: [region, { id: 'eu-west-1', cidr: '10.1.4.0/22' }] },
  ],
  ['regions[0].zones', { regions: [{ ...region, zones: ['a'] }] }],
  [
    'regions[0].edge.max: must be more than min',
    { regions: [{ ...region, edge: { instanceType: 'c7g.large', min: 2, max: 2 } }] },
  ],
  [
    'regions[0].origin.instanceType',
    { regions: [{ ...region, origin: { instanceType: 'big', min: 1, max: 2 } }] },
  ],
  [
    'regions[0].edge.targetCpu',
    { regions: [{ ...region, edge: { instanceType: 'c7g.large', min: 1, max: 2, targetCpu: 99 } }] },
  ],
  ['regions[0].origin.instanceType', { regions: [{ ...region, origin: sized('c7i.huge') }] }],
  ['regions[0].origin.instanceType', { regions: [{ ...region, origin: sized('c7g.tiny') }] }],
  [
    'regions[0].id: aws-cdk-lib knows no region ap-southeast-9',
    { regions: [{ ...region, id: 'ap-southeast-9' }] },
  ],
  [
    'regions[0].id: cn-north-1 is in the partition aws-cn, which Meridian does not support',
    { regions: [{ ...region, id: 'cn-north-1' }] },
  ],
  ['regions[0].cidr: within 10.0.0.0/8', { regions: [{ ...region, cidr: '127.0.0.0/16' }] }],
  ['regions[0].cidr: within 10.0.0.0/8', { regions: [{ ...region, cidr: '169.254.0.0/16' }] }],
  ['regions[0].cidr: within 10.0.0.0/8', { regions: [{ ...region, cidr: '224.0.0.0/16' }] }],
  [
    'iceServersSecret: a secret’s name, not its ARN',
    { iceServersSecret: `arn:aws:secretsmanager:x:1:secret:a` },
  ],
  ['iceServersSecret', { iceServersSecret: '*' }],
  ['globalName: ', { globalName: `${'a'.repeat(53)}.example.org` }],
  [
    'zone.name: us-east-1.',
    { zone: { id: 'Z0123456789ABC', name: LONG_ZONE }, globalName: `a.${LONG_ZONE}`, regions: [region] },
  ],
  ['regions[0].edge: Unrecognized key: "warmPool"; did you mean warm?', warmPool],
  [
    'regions[0]: Unrecognized key: "zoness"; did you mean zones?',
    { regions: [{ ...region, zoness: ['a', 'b'] }] },
  ],
  ['regions[0].zones: each letter once', { regions: [{ ...region, zones: ['a', 'a'] }] }],
  ['regions[0].cidr', { regions: [{ ...region, cidr: '999.1.0.0/16' }] }],
  ['regions[0].cidr: from /16 to /22', { regions: [{ ...region, cidr: '10.1.0.0/24' }] }],
  [
    'regions[0].edge.schedules: min becomes 2 and stays so: add an entry with min 1',
    { regions: [{ ...region, edge: scheduled({ min: 2 }) }] },
  ],
  ['regions[0].edge.schedules[0]: changes nothing', { regions: [{ ...region, edge: scheduled({}) }] }],
  [
    'regions[0].edge.schedules[0]: min 9 is more than max 2',
    { regions: [{ ...region, edge: scheduled({ min: 9 }) }] },
  ],
  [
    'regions[0].edge.schedules[0].desired: not from',
    { regions: [{ ...region, edge: scheduled({ desired: 9 }) }] },
  ],
  ['regions[0].edge.min', { regions: [{ ...region, edge: { instanceType: 'c7g.large', min: 0, max: 0 } }] }],
  ['globalName: us-east-1.example.org is a region', { globalName: 'us-east-1.example.org' }],
  ['timings.drain: an instance that ends is held', { timings: { drain: 7_200_000 } }],
  ['alarmEmail', { alarmEmail: 'me' }],
  ['stun[0]', { stun: ['stun.example.org'] }],
  ['stun: give this or iceServersSecret', { stun: ['stun:a.example'], iceServersSecret: 'meridian/ice' }],
  ['timings.graze: there is no such timing', { timings: { graze: 1 } }],
  ['MERIDIAN_HEARTBEAT_MS', { timings: { heartbeat: 5 } }],
  ['MERIDIAN_NODE_DEAD_AFTER_MS', { timings: { heartbeat: 5_000 } }],
  ['throttle.rate', { throttle: { rate: 0, burst: 1 } }],
  ['rateLimits.playPerAddress: off, or burst', { rateLimits: { playPerAddress: 'on' } }],
  ['rateLimits: Unrecognized key: "play"; did you mean playPerAddress?', { rateLimits: { play: 'off' } }],
])('%s', (told, changes) => {
  const wrong: DeploymentInput = { ...input(), ...changes };
  expect(() => deploymentFrom(wrong)).toThrow(told);
});

const timed = (cron: string) =>
  input({ regions: [{ ...region, edge: { ...sized('c7g.large'), schedules: [{ cron, desired: 2 }] } }] });

it.each(['0 18 * * 5', '30 18 * * MON-FRI', '*/15 0-23/2 1,15 JAN,7 0', '59 23 31 12 SAT'])(
  'the time %s is one',
  (cron) => {
    expect(() => deploymentFrom(timed(cron))).not.toThrow();
  },
);

it.each([
  ['noon', 'five fields'],
  ['0 18 * *', 'five fields'],
  ['60 0 * * *', 'minute 60: from 0 to 59'],
  ['0 24 * * *', 'hour 24'],
  ['0 0 0 * *', 'day of month 0: from 1 to 31'],
  ['0 0 1 13 *', 'month 13: from 1 to 12 or JAN to DEC'],
  ['99 77 * * 9', 'minute 99'],
  ['0 0 * * 7', 'day of week 7: from 0 to 6 or SUN to SAT'],
  ['0 0 * * FRIDAY', 'day of week FRIDAY'],
  ['0 5-1 * * *', 'hour 5-1'],
  ['*/0 5 * * *', 'minute */0'],
  ['0 1-2-3 * * *', 'hour 1-2-3'],
  ['0, 5 * * *', 'minute 0,'],
  ['0 MON * * *', 'hour MON'],
])('the time %s is none: %s', (cron, told) => {
  expect(() => deploymentFrom(timed(cron))).toThrow(`regions[0].edge.schedules[0].cron: ${told}`);
});

it('every wrong value is told at once', () => {
  expect(() => deploymentFrom({ ...input(), account: '1', alarmEmail: 'me' })).toThrow(
    /account[\s\S]*alarmEmail/,
  );
});
