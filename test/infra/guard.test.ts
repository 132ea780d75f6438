// The guard rules catch what they are for: each is shown a stack that breaks it, and one that does not. Ours break none.

import { fileURLToPath } from 'node:url';
import { App, CfnResource, Stack } from 'aws-cdk-lib';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { addChecks, justify } from '#infra/checks.ts';
import { deploymentFrom } from '#infra/config.ts';
import cdk from '../../cdk.json' with { type: 'json' };
import { input, NO_ARCHIVES, stacksIn } from './stacks.ts';

/** What the report says; empty when the stack passes. */
let report: string;
beforeEach(() => {
  report = '';
  const write = (text: unknown) => {
    report += String(text);
    return true;
  };
  vi.spyOn(process.stderr, 'write').mockImplementation(write);
  vi.spyOn(console, 'error').mockImplementation(write);
  vi.spyOn(console, 'log').mockImplementation(write);
});
afterEach(() => {
  vi.restoreAllMocks();
  // A failed validation is the command's failure, not this test's.
  process.exitCode = undefined;
});

function check(type: string, properties: Record<string, unknown>): string {
  const app = new App();
  const stack = new Stack(app, 'Tried');
  const resource = new CfnResource(stack, 'Resource', { type, properties });
  for (const finding of ['EC23', 'IAM5[Resource::*]', 'IAM5[Action::s3:*]', 'DDB3'])
    justify(resource, finding, 'tried');
  return reportOn(app);
}

/** A region with every part that there can be. */
const EVERYTHING = {
  id: 'us-east-1',
  cidr: '10.1.0.0/16',
  edge: {
    instanceType: 'c7i.large',
    min: 2,
    max: 9,
    warm: 2,
    schedules: [
      { cron: '0 18 * * FRI', min: 8 },
      { cron: '0 23 * * FRI', min: 2 },
    ],
  },
};

function reportOn(app: App): string {
  addChecks(app);
  try {
    app.synth();
  } catch (error) {
    report += String(error);
  }
  return report;
}

const opened = (FromPort: number, ToPort: number, by = 'CidrIp') => ({
  GroupDescription: 'tried',
  SecurityGroupIngress: [
    { IpProtocol: 'tcp', FromPort, ToPort, [by]: by === 'CidrIp' ? '0.0.0.0/0' : '::/0' },
  ],
});
const template = (changes: Record<string, unknown>) => ({
  LaunchTemplateData: {
    MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
    BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { Encrypted: true } }],
    ...changes,
  },
});
const policy = (Action: string | string[], Resource: string) => ({
  PolicyName: 'tried',
  PolicyDocument: { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action, Resource }] },
  Roles: ['tried'],
});
const table = (encrypted: boolean, recoverable: boolean) => ({
  KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
  AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
  BillingMode: 'PAY_PER_REQUEST',
  SSESpecification: { SSEEnabled: encrypted },
  Replicas: [
    { Region: 'eu-west-1', PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: recoverable } },
  ],
});

it.each<[string, string, Record<string, unknown>]>([
  ['control_port_is_not_open', 'AWS::EC2::SecurityGroup', opened(7_443, 7_443)],
  ['control_port_is_not_open', 'AWS::EC2::SecurityGroup', opened(7_000, 8_000, 'CidrIpv6')],
  [
    'control_port_is_not_opened_apart',
    'AWS::EC2::SecurityGroupIngress',
    { IpProtocol: 'tcp', FromPort: 7_443, ToPort: 7_443, CidrIp: '10.0.0.0/8', GroupId: 'sg-1' },
  ],
  ['no_ssh', 'AWS::EC2::SecurityGroup', opened(22, 22)],
  [
    'imds_v2_only',
    'AWS::EC2::LaunchTemplate',
    template({ MetadataOptions: { HttpTokens: 'optional', HttpPutResponseHopLimit: 1 } }),
  ],
  [
    'volumes_are_encrypted',
    'AWS::EC2::LaunchTemplate',
    template({ BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { Encrypted: false } }] }),
  ],
  ['tables_are_encrypted_and_recoverable', 'AWS::DynamoDB::GlobalTable', table(false, true)],
  ['tables_are_encrypted_and_recoverable', 'AWS::DynamoDB::GlobalTable', table(true, false)],
  ['no_wildcard_action', 'AWS::IAM::Policy', policy('s3:*', 'arn:aws:s3:::one/*')],
  ['writes_name_their_resource', 'AWS::IAM::Policy', policy(['dynamodb:PutItem'], '*')],
])('%s refuses a bad %s', (rule, type, properties) => {
  expect(check(type, properties)).toContain(`cdk-validator-cfnguard::${rule}'`);
});

it.each<[string, Record<string, unknown>]>([
  ['AWS::EC2::SecurityGroup', opened(7_000, 7_255)],
  ['AWS::EC2::LaunchTemplate', template({})],
  ['AWS::DynamoDB::GlobalTable', table(true, true)],
  ['AWS::IAM::Policy', policy('dynamodb:PutItem', 'arn:aws:dynamodb:eu-west-1:123456789012:table/one')],
])('a %s as ours are passes', (type, properties) => {
  expect(check(type, properties)).not.toContain('cdk-validator-cfnguard');
});

it.each([
  ['without the node’s archive', NO_ARCHIVES],
  // Any file will do.
  ['with it', () => fileURLToPath(import.meta.url)],
])('our own stacks pass all checks, %s', (_, archives) => {
  const app = new App({ context: cdk.context });
  const deployment = deploymentFrom(input({ alarmEmail: 'night@example.org', regions: [EVERYTHING] }));
  stacksIn(app, deployment, archives);
  expect(reportOn(app)).toBe('');
});
