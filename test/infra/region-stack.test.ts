// A region's template: its network, API, functions and fleets as security and correctness need them.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Match } from 'aws-cdk-lib/assertions';
import { afterAll, expect, it } from 'vitest';
import { contextFrom } from '#functions/context.ts';
import { CANNOT_SERVE } from '#functions/region-health/contract.ts';
import { API_ROUTES } from '#functions/routes.ts';
import { BUNDLES } from '#infra/bundles.ts';
import { PORTS } from '#infra/network.ts';
import { nodeConfigFrom } from '#media-fleet/config.ts';
import { rateLimitsVariable } from '#routing/request-limits.ts';
import { templates } from './stacks.ts';

const directory = mkdtempSync(join(tmpdir(), 'meridian-infra-'));
const ARCHIVE = join(directory, 'node.tar.gz');
writeFileSync(ARCHIVE, 'an archive');
afterAll(() => rmSync(directory, { recursive: true }));

/** As Secrets Manager makes one: 64 letters and digits. */
const KEY = 'Ab3'.repeat(21).concat('x');

const { regions } = templates({
  stun: ['stun:stun.example.org'],
  alarmEmail: 'night@example.org',
  timings: { unusedStreamTimeout: 120_000 },
  rateLimits: { playPerAddress: 'off' },
});
const region = (() => {
  const [, template] = regions;
  if (template === undefined) throw new Error('no second region');
  return template;
})();

it('no NAT gateway, and no way out of the private subnets but IPv6 and the gateway endpoints', () => {
  region.resourceCountIs('AWS::EC2::NatGateway', 0);
  region.resourceCountIs('AWS::EC2::EgressOnlyInternetGateway', 1);
  region.resourcePropertiesCountIs('AWS::EC2::VPCEndpoint', { VpcEndpointType: 'Gateway' }, 2);
  region.hasResourceProperties('AWS::EC2::Subnet', { AvailabilityZone: 'eu-west-1a' });
  expect(JSON.stringify(region.toJSON())).not.toContain('Custom::');
});

it('media and legs are open to the world, the control port to functions and nodes only', () => {
  const [open] = Object.values(
    region.findResources('AWS::EC2::SecurityGroup', { Properties: { GroupDescription: 'Media nodes' } }),
  );
  const rules: { FromPort: number; ToPort: number; IpProtocol: string }[] =
    open?.Properties.SecurityGroupIngress;
  const ports = rules.map(({ IpProtocol, FromPort, ToPort }) => `${IpProtocol} ${FromPort}-${ToPort}`);
  expect(new Set(ports)).toEqual(new Set(['udp 7000-7255', 'tcp 7000-7255', 'udp 20000-26999']));
  const apart = Object.values(region.findResources('AWS::EC2::SecurityGroupIngress'));
  expect(apart.map(({ Properties }) => [Properties.FromPort, 'SourceSecurityGroupId' in Properties])).toEqual(
    [
      [7_443, true],
      [7_443, true],
    ],
  );
});

it('every route of functions/routes.ts is there, and only nodes may call /cascade', () => {
  const routes = Object.values(region.findResources('AWS::ApiGatewayV2::Route'));
  expect(
    routes.map(({ Properties }) => `${Properties.RouteKey} ${Properties.AuthorizationType}`).toSorted(),
  ).toEqual(
    API_ROUTES.map(
      ({ method, path, auth }) => `${method} ${path} ${auth === 'iam' ? 'AWS_IAM' : 'NONE'}`,
    ).toSorted(),
  );
});

it('the API answers under its own and the global name, by IPv4 and IPv6, and under no other', () => {
  region.hasResourceProperties('AWS::ApiGatewayV2::Api', {
    DisableExecuteApiEndpoint: true,
    IpAddressType: 'dualstack',
  });
  for (const DomainName of ['eu-west-1.example.org', 'live.example.org']) {
    region.hasResourceProperties('AWS::ApiGatewayV2::DomainName', {
      DomainName,
      DomainNameConfigurations: [Match.objectLike({ IpAddressType: 'dualstack', SecurityPolicy: 'TLS_1_2' })],
    });
    region.hasResourceProperties('AWS::CertificateManager::Certificate', { DomainName });
  }
});

it('the global name leads here by latency while the region’s own /healthz is well', () => {
  region.hasResourceProperties('AWS::Route53::HealthCheck', {
    HealthCheckConfig: {
      Type: 'HTTPS',
      FullyQualifiedDomainName: 'eu-west-1.example.org',
      Port: 443,
      ResourcePath: '/healthz',
      RequestInterval: 10,
      FailureThreshold: 3,
      EnableSNI: true,
    },
  });
  for (const Type of ['A', 'AAAA']) {
    region.hasResourceProperties('AWS::Route53::RecordSet', {
      Name: 'live.example.org.',
      Type,
      Region: 'eu-west-1',
      SetIdentifier: 'eu-west-1',
      HealthCheckId: Match.anyValue(),
      AliasTarget: Match.anyValue(),
    });
    region.hasResourceProperties('AWS::Route53::RecordSet', {
      Name: 'eu-west-1.example.org.',
      Type,
      Region: Match.absent(),
    });
  }
});

it('access is logged without the query, in which a token may stand', () => {
  const [stage] = Object.values(region.findResources('AWS::ApiGatewayV2::Stage'));
  const format = JSON.stringify(stage?.Properties.AccessLogSettings.Format);
  expect(format).toContain('$context.path');
  expect(format).not.toMatch(/query|authorization|header/i);
  expect(stage?.Properties.DefaultRouteSettings).toMatchObject({
    ThrottlingRateLimit: 500,
    ThrottlingBurstLimit: 1_000,
  });
});

it.each(BUNDLES)('the function %s: Node 24 on arm64, its own log, no keys in its environment', (name) => {
  const [found] = Object.values(
    region.findResources('AWS::Lambda::Function', { Properties: { FunctionName: `meridian-${name}` } }),
  );
  expect(found?.Properties).toMatchObject({
    Runtime: 'nodejs24.x',
    Architectures: ['arm64'],
    Handler: 'index.handler',
    LoggingConfig: { LogGroup: expect.anything() },
    Environment: {
      Variables: expect.objectContaining({
        MERIDIAN_REGION: 'eu-west-1',
        MERIDIAN_UNUSED_STREAM_TIMEOUT_MS: '120000',
      }),
    },
  });
  const variables: Record<string, string> = found?.Properties.Environment.Variables;
  for (const [key, value] of Object.entries(variables)) {
    if (!key.endsWith('_KEY')) continue;
    expect(value).toMatch(/^secretsmanager:meridian\//);
    variables[key] = KEY;
  }
  if (name === 'region-health') return;
  expect(contextFrom(variables).region.api).toBe('https://eu-west-1.example.org');
  expect(rateLimitsVariable.parse(variables.MERIDIAN_RATE_LIMITS).playPerAddress).toBe('off');
});

it('a function may be in the network only for Lambda’s own part', () => {
  for (const [id, policy] of Object.entries(region.findResources('AWS::IAM::Policy'))) {
    const statements: { Action: string[]; Effect: string; Resource: unknown }[] =
      policy.Properties.PolicyDocument.Statement;
    const wild = statements.filter(({ Resource }) => Resource === '*');
    expect(
      wild.map(({ Effect }) => Effect),
      id,
    ).toEqual(wild.length === 0 ? [] : ['Allow', 'Deny']);
  }
});

it.each(['origin', 'edge'])(
  'the fleet %s: IMDSv2, encrypted, without SSH, drained before it ends',
  (group) => {
    region.hasResourceProperties('AWS::EC2::LaunchTemplate', {
      LaunchTemplateName: `meridian-${group}`,
      LaunchTemplateData: {
        InstanceType: 'c7g.large',
        MetadataOptions: Match.objectLike({ HttpTokens: 'required', HttpPutResponseHopLimit: 1 }),
        BlockDeviceMappings: [Match.objectLike({ Ebs: Match.objectLike({ Encrypted: true }) })],
        KeyName: Match.absent(),
        Monitoring: { Enabled: true },
      },
    });
    region.hasResource('AWS::AutoScaling::AutoScalingGroup', {
      Properties: {
        AutoScalingGroupName: `meridian-${group}`,
        MinSize: '1',
        // In the group: hooks of their own come too late for its first instances.
        LifecycleHookSpecificationList: [
          {
            LifecycleHookName: 'launch',
            LifecycleTransition: 'autoscaling:EC2_INSTANCE_LAUNCHING',
            HeartbeatTimeout: 300,
            DefaultResult: 'ABANDON',
          },
          {
            LifecycleHookName: 'drain',
            LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
            HeartbeatTimeout: 2_100,
            DefaultResult: 'CONTINUE',
          },
        ],
      },
      UpdatePolicy: { AutoScalingRollingUpdate: { MaxBatchSize: 1, MinInstancesInService: 1 } },
      // An instance that boots before its subnet leads out fails.
      DependsOn: Match.arrayWith([1, 2].map((n) => Match.stringLikeRegexp(`mediaSubnet${n}DefaultRoute`))),
    });
    region.resourceCountIs('AWS::AutoScaling::LifecycleHook', 0);
    region.resourcePropertiesCountIs(
      'AWS::AutoScaling::ScalingPolicy',
      { PolicyType: 'TargetTrackingScaling' },
      2,
    );
  },
);

it.each(['origin', 'edge'])('the fleet %s is told what a node needs, and no key', (group) => {
  const [template] = Object.values(
    region.findResources('AWS::EC2::LaunchTemplate', {
      Properties: { LaunchTemplateName: `meridian-${group}` },
    }),
  );
  const script = JSON.stringify(template?.Properties.LaunchTemplateData.UserData);
  const text: string = JSON.parse(script)['Fn::Base64'] ?? '';
  const given = Object.fromEntries(
    [...text.matchAll(/^([A-Z_]+)='(.*)'$/gm)].map(([, name = '', value = '']): [string, string] => [
      name,
      value,
    ]),
  );
  expect(given).toMatchObject({
    AWS_REGION: 'eu-west-1',
    MERIDIAN_REGION: 'eu-west-1',
    MERIDIAN_NODE_GROUP: group,
    MERIDIAN_FLEET: `meridian-${group}`,
    MERIDIAN_INSTANCE_METADATA: 'ec2',
    MERIDIAN_CROSSING_ADDRESS: 'public',
    MERIDIAN_FAILBACK: 'on',
    MERIDIAN_CLUSTER_KEY: 'secretsmanager:meridian/cluster-key',
    MERIDIAN_UNUSED_STREAM_TIMEOUT_MS: '120000',
  });
  expect(text).not.toMatch(/@[A-Z]+@/);
  // With what its instance and Secrets Manager add, a node takes it.
  const address = { MERIDIAN_PRIVATE_ADDRESS: '10.0.0.1', MERIDIAN_PUBLIC_ADDRESS: '203.0.113.1' };
  const config = nodeConfigFrom({ ...given, ...address, MERIDIAN_CLUSTER_KEY: KEY }, ['--node-id', 'i-0abc']);
  expect(config).toMatchObject({
    MERIDIAN_NODES_TABLE: 'meridian-nodes',
    MERIDIAN_RATE_LIMITS: { playPerAddress: 'off', publishPerToken: { burst: 10, perSecond: 1 } },
    timing: { unusedStreamTimeout: 120_000 },
  });
  // The security group opens what the node listens on.
  expect(config).toMatchObject({
    MERIDIAN_CONTROL_PORT: PORTS.control,
    MERIDIAN_MEDIA_PORT: PORTS.media.first,
    MERIDIAN_LEG_PORTS: { min: PORTS.legs.first, max: PORTS.legs.last },
  });
});

it('a warm pool and schedules where the configuration has them', () => {
  const edge = {
    instanceType: 'c7i.xlarge',
    min: 2,
    max: 9,
    warm: 3,
    schedules: [
      { cron: '0 18 * * FRI', min: 8 },
      { cron: '0 23 * * FRI', min: 2 },
    ],
  };
  const [template] = templates({ regions: [{ id: 'us-east-1', cidr: '10.1.0.0/16', edge }] }).regions;
  template?.hasResourceProperties('AWS::AutoScaling::WarmPool', {
    MinSize: 3,
    MaxGroupPreparedCapacity: 3,
    PoolState: 'Stopped',
  });
  template?.hasResourceProperties('AWS::AutoScaling::ScheduledAction', {
    MinSize: 8,
    Recurrence: '0 18 * * FRI',
  });
});

it('a stack without the node’s archive refuses to be deployed, and says what to do', () => {
  expect(Object.keys(region.toJSON().Rules ?? {})).toEqual(['NodeArchivearm64', 'CheckBootstrapVersion']);
  expect(JSON.stringify(region.toJSON().Rules)).toContain('npm run build:node');
});

it('with it an instance gets it, and may read that object of the bucket only', () => {
  const [template] = templates({}, () => ARCHIVE).regions;
  expect(Object.keys(template?.toJSON().Rules ?? {})).toEqual(['CheckBootstrapVersion']);
  const bucket = 'cdk-hnb659fds-assets-123456789012-us-east-1';
  const [policy] = Object.values(template?.findResources('AWS::IAM::Policy') ?? {}).filter(({ Properties }) =>
    JSON.stringify(Properties.Roles).includes('NodeRole'),
  );
  const statements: { Action: string; Resource: unknown }[] = policy?.Properties.PolicyDocument.Statement;
  const [allowed, ...more] = statements.filter(({ Action }) => JSON.stringify(Action).includes('s3:'));
  expect(more).toEqual([]);
  expect(allowed?.Action).toBe('s3:GetObject');
  const object = JSON.stringify(allowed?.Resource);
  expect(object).toMatch(new RegExp(`:s3:::${bucket}/[0-9a-f]{64}\\.gz`));
  const key = /[0-9a-f]{64}\.gz/.exec(object)?.[0];
  for (const launched of Object.values(template?.findResources('AWS::EC2::LaunchTemplate') ?? {}))
    expect(JSON.stringify(launched.Properties.LaunchTemplateData.UserData)).toContain(
      `s3://${bucket}/${key}`,
    );
});

it('alarms go by e-mail', () => {
  region.hasResourceProperties('AWS::SNS::Subscription', {
    Protocol: 'email',
    Endpoint: 'night@example.org',
  });
  for (const alarm of Object.values(region.findResources('AWS::CloudWatch::Alarm'))) {
    expect(alarm.Properties.AlarmActions).toHaveLength(1);
    expect(alarm.Properties.AlarmDescription).toMatch(/\.$/);
  }
  // The topic's own policy stands instead of SNS's, which would let them in.
  region.hasResourceProperties('AWS::SNS::TopicPolicy', {
    PolicyDocument: {
      Statement: Match.arrayWith([
        Match.objectLike({
          Effect: 'Allow',
          Action: 'sns:Publish',
          Principal: { Service: 'cloudwatch.amazonaws.com' },
          Condition: { StringEquals: { 'aws:SourceAccount': '123456789012' } },
        }),
      ]),
    },
  });
});

it('every alarm stands in docs/operations.md, where it says what to do', () => {
  const text = readFileSync('docs/operations.md', 'utf8');
  for (const { Properties } of Object.values(region.findResources('AWS::CloudWatch::Alarm'))) {
    const name: string = Properties.AlarmName;
    expect(text.includes(`\`${name.replace(/(Function|Fleet)-.*-(throttled|at-)/, '$1-*-$2')}\``), name).toBe(
      true,
    );
  }
});

it('an alarm counts what region-health says of a region without room, and another one that it has said nothing', () => {
  region.hasResourceProperties('AWS::Logs::MetricFilter', {
    LogGroupName: { Ref: Match.stringLikeRegexp('^HealthFunctionregionhealthLogs') },
    FilterPattern: `{ $.message = "${CANNOT_SERVE}" }`,
    MetricTransformations: [Match.objectLike({ MetricName: 'RegionUnable', MetricValue: '1' })],
  });
  region.hasResourceProperties('AWS::CloudWatch::Alarm', {
    AlarmName: 'meridian region-unable',
    MetricName: 'RegionUnable',
    // Of five, for a schedule's minute may begin late.
    DatapointsToAlarm: 3,
    TreatMissingData: 'notBreaching',
  });
  region.hasResourceProperties('AWS::CloudWatch::Alarm', {
    AlarmName: 'meridian region-unchecked',
    ComparisonOperator: 'LessThanThreshold',
    TreatMissingData: 'breaching',
  });
});

it('region-health runs each minute, and is not tried again', () => {
  region.hasResourceProperties('AWS::Events::Rule', { ScheduleExpression: 'rate(1 minute)' });
  region.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
    FunctionName: { Ref: Match.stringLikeRegexp('^HealthFunctionregionhealth') },
    MaximumRetryAttempts: 0,
    MaximumEventAgeInSeconds: 60,
  });
});

it('each stack has the resources that it had: a change of the list is seen in review', async () => {
  const list = (template: typeof region) =>
    Object.entries(template.toJSON().Resources)
      .map(
        ([id, resource]) => `${JSON.parse(JSON.stringify(resource)).Type} ${id.replace(/[0-9A-F]{8,}$/, '')}`,
      )
      .toSorted()
      .join('\n');
  const { global, regions: plain } = templates();
  await expect(`${list(global)}\n`).toMatchFileSnapshot('resources/global.txt');
  const [first] = plain;
  if (first) await expect(`${list(first)}\n`).toMatchFileSnapshot('resources/region.txt');
});

it('the control API’s functions reserve what they may use, and the configuration says how much', () => {
  const reserved = (template: typeof region | undefined) =>
    Object.fromEntries(
      Object.values(template?.findResources('AWS::Lambda::Function') ?? {})
        .filter(({ Properties }) => Properties.ReservedConcurrentExecutions !== undefined)
        .map(({ Properties }) => [Properties.FunctionName, Properties.ReservedConcurrentExecutions]),
    );
  expect(reserved(templates().regions[1])).toEqual({ 'meridian-api': 50, 'meridian-cluster-nodes': 20 });
  const changed = templates({ concurrency: { whep: 300 } });
  expect(reserved(changed.regions[1])).toEqual({ 'meridian-whep': 300 });
});
