// A node's configuration: what its environment may say, and how a wrong one is told.

import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { nodeConfigFrom } from '#media-fleet/config.ts';

const environment = {
  MERIDIAN_REGION: 'eu-west-1',
  MERIDIAN_NODE_GROUP: 'edge',
  MERIDIAN_PRIVATE_ADDRESS: '10.0.0.1',
  MERIDIAN_PUBLIC_ADDRESS: '203.0.113.1',
  MERIDIAN_CLUSTER_KEY: Buffer.alloc(32, 7).toString('base64'),
  MERIDIAN_STREAMS_TABLE: 'streams',
  MERIDIAN_NODES_TABLE: 'nodes',
  MERIDIAN_REGIONS: '[{"id":"eu-west-1","api":"https://eu-west-1.live.example"}]',
};
const args = ['--node-id', 'i-0123456789'];
const read = (changes: Record<string, string | undefined> = {}) =>
  nodeConfigFrom({ ...environment, ...changes }, args);

it('takes what is given, and its defaults for the rest', () => {
  expect(read()).toMatchObject({
    nodeId: 'i-0123456789',
    MERIDIAN_REGION: 'eu-west-1',
    MERIDIAN_NODE_GROUP: 'edge',
    MERIDIAN_WORKERS: availableParallelism(),
    MERIDIAN_CONTROL_PORT: 7_443,
    MERIDIAN_LEG_PORTS: { min: 20_000, max: 26_999 },
    MERIDIAN_MAX_CHILDREN: 32,
    MERIDIAN_CLUSTER_KEY: new Uint8Array(32).fill(7),
    MERIDIAN_REGIONS: [{ id: 'eu-west-1', api: 'https://eu-west-1.live.example' }],
    timing: { heartbeat: 1_000 },
  });
});

it('admits by its workers, unless the operator says how many', () => {
  expect(read({ MERIDIAN_WORKERS: '4' })).toMatchObject({ maxViewers: 1_000, maxPublishers: 400 });
  expect(read({ MERIDIAN_MAX_VIEWERS: '0', MERIDIAN_MAX_PUBLISHERS: '7' })).toMatchObject({
    maxViewers: 0,
    maxPublishers: 7,
  });
});

it.each([
  ['MERIDIAN_REGION', 'europe'],
  ['MERIDIAN_NODE_GROUP', 'relay'],
  ['MERIDIAN_WORKERS', '0'],
  ['MERIDIAN_CONTROL_PORT', '65536'],
  ['MERIDIAN_MEDIA_PORT', 'x'],
  ['MERIDIAN_LEG_PORTS', '20000'],
  ['MERIDIAN_LEG_PORTS', '30000-20000'],
  ['MERIDIAN_LEG_PORTS', '80-90'],
  ['MERIDIAN_LEG_PORTS', '60000-70000'],
  ['MERIDIAN_MAX_CHILDREN', '0'],
  ['MERIDIAN_CPU_LIMIT', '1.1'],
  ['MERIDIAN_RATE_LIMITS', '{"playPerAddress":{"burst":1}}'],
  ['MERIDIAN_CLUSTER_KEY', 'not base64!'],
  ['MERIDIAN_DYNAMODB_ENDPOINT', 'localhost'],
  ['MERIDIAN_REGIONS', '{'],
  ['MERIDIAN_REGIONS', '[]'],
  ['MERIDIAN_REGIONS', '[{"id":"eu-west-1"}]'],
  ['MERIDIAN_REGIONS', '[{"id":"us-east-1","api":"https://us-east-1.live.example"}]'],
  ['MERIDIAN_LOG_LEVEL', 'loud'],
  ['MERIDIAN_HEARTBEAT_MS', '0'],
])('refuses %s=%s and names it', (name, value) => {
  expect(() => read({ [name]: value })).toThrow(name);
});

it.each(Object.keys(environment))('refuses an environment without %s', (name) => {
  expect(() => read({ [name]: undefined })).toThrow(name);
});

it('names everything that is wrong at once', () => {
  expect(() => nodeConfigFrom({ ...environment, MERIDIAN_REGION: 'x', MERIDIAN_WORKERS: 'x' }, [])).toThrow(
    /--node-id.*MERIDIAN_REGION.*MERIDIAN_WORKERS/,
  );
});

it('refuses a node id that is none, and options that it does not know', () => {
  expect(() => nodeConfigFrom(environment, ['--node-id', 'a b'])).toThrow('--node-id');
  expect(() => nodeConfigFrom(environment, [...args, '--verbose'])).toThrow('--verbose');
});

it.each(['', 'AAAA'])('refuses the cluster key %j for its length', (key) => {
  expect(() => read({ MERIDIAN_CLUSTER_KEY: key })).toThrow('MERIDIAN_CLUSTER_KEY');
});

it.each([
  'MERIDIAN_MAX_VIEWERS',
  'MERIDIAN_MAX_PUBLISHERS',
  'MERIDIAN_CONTROL_PORT',
  'MERIDIAN_MEDIA_PORT',
  'MERIDIAN_WORKERS',
])('an empty %s is one that is not set', (name) => {
  expect(read({ [name]: '' })).toEqual(read());
});
