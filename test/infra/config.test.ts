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
    'regions[0].edge.max: less than min',
    { regions: [{ ...region, edge: { instanceType: 'c7g.large', min: 3, max: 2 } }] },
  ],
  [
    'regions[0].origin.instanceType',
    { regions: [{ ...region, origin: { instanceType: 'big', min: 1, max: 2 } }] },
  ],
  [
    'regions[0].edge.targetCpu',
    { regions: [{ ...region, edge: { instanceType: 'c7g.large', min: 1, max: 2, targetCpu: 99 } }] },
  ],
  [
    'regions[0].edge.schedules[0].cron',
    {
      regions: [
        { ...region, edge: { instanceType: 'c7g.large', min: 1, max: 2, schedules: [{ cron: 'noon' }] } },
      ],
    },
  ],
  ['regions[0]: Unrecognized key: "zoness"', { regions: [{ ...region, zoness: ['a', 'b'] }] }],
  ['regions[0].zones: each letter once', { regions: [{ ...region, zones: ['a', 'a'] }] }],
  ['regions[0].cidr', { regions: [{ ...region, cidr: '999.1.0.0/16' }] }],
  ['regions[0].cidr: from /16 to /22', { regions: [{ ...region, cidr: '10.1.0.0/24' }] }],
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
])('%s', (told, changes) => {
  const wrong: DeploymentInput = { ...input(), ...changes };
  expect(() => deploymentFrom(wrong)).toThrow(told);
});

it('every wrong value is told at once', () => {
  expect(() => deploymentFrom({ ...input(), account: '1', alarmEmail: 'me' })).toThrow(
    /account[\s\S]*alarmEmail/,
  );
});
