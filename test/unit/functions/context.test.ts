// A function's configuration: what its environment must say, and how a wrong one is told.

import { expect, it } from 'vitest';
import { contextFrom } from '#functions/context.ts';

const key = Buffer.alloc(32, 7).toString('base64');
const environment = {
  MERIDIAN_REGION: 'eu-west-1',
  MERIDIAN_REGIONS:
    '[{"id":"us-east-1","api":"https://us.example"},{"id":"eu-west-1","api":"https://eu.example"}]',
  MERIDIAN_STREAMS_TABLE: 'streams',
  MERIDIAN_NODES_TABLE: 'nodes',
  MERIDIAN_CONTROL_TABLE: 'control',
  MERIDIAN_CLUSTER_KEY: key,
  MERIDIAN_TOKEN_KEY: key,
  MERIDIAN_SESSION_KEY: key,
};

it('knows its own region among all', () => {
  const { region, regions, timing } = contextFrom(environment);
  expect(region).toEqual({ id: 'eu-west-1', api: 'https://eu.example' });
  expect(regions.map(({ id }) => id)).toEqual(['us-east-1', 'eu-west-1']);
  expect(timing.call).toBe(3_000);
});

it.each(Object.keys(environment))('refuses an environment without %s', (name) => {
  expect(() => contextFrom({ ...environment, [name]: undefined })).toThrow(name);
});

it.each([
  ['MERIDIAN_REGION', 'europe'],
  ['MERIDIAN_REGION', 'ap-south-1'],
  ['MERIDIAN_REGIONS', '{'],
  ['MERIDIAN_REGIONS', '[]'],
  ['MERIDIAN_REGIONS', '[{"id":"eu-west-1","api":"nowhere"}]'],
  ['MERIDIAN_TOKEN_KEY', 'not base64!'],
  ['MERIDIAN_TOKEN_KEY', Buffer.alloc(31).toString('base64')],
  ['MERIDIAN_CLUSTER_KEY', ''],
  ['MERIDIAN_DYNAMODB_ENDPOINT', 'localhost'],
  ['MERIDIAN_CALL_MS', 'soon'],
  ['MERIDIAN_RATE_LIMITS', '{"playPerAddress":{"burst":1}}'],
])('refuses %s=%s and names it', (name, value) => {
  expect(() => contextFrom({ ...environment, [name]: value })).toThrow(name);
});

it('names everything that is wrong at once, and no key', () => {
  const wrong = { ...environment, MERIDIAN_REGION: 'x', MERIDIAN_TOKEN_KEY: 'AAAA' };
  expect(() => contextFrom(wrong)).toThrow(/MERIDIAN_REGION.*MERIDIAN_TOKEN_KEY/);
  expect(() => contextFrom(wrong)).not.toThrow('AAAA');
});
