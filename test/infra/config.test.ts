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
    'regions[1].cidr: 10.1.0.0/16 is another region',
    { regions: [region, { id: 'eu-west-1', cidr: '10.1.0.0/16' }] },
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
