// A region's Lambda functions: their bundles, their roles, and what they know of their surroundings.

import { type Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { type BundleName, bundlePath } from './bundles.ts';
import { justify } from './checks.ts';
import type { Network } from './network.ts';

/** A table and what a function does with it. */
export interface TableUse {
  arn: string;
  actions: readonly `dynamodb:${string}`[];
  /** What the items' partition keys begin with; undefined: every item. */
  keysFrom?: string;
}

export interface RegionFunctionProps {
  name: BundleName;
  /** Calls nodes: then it runs in their network. */
  network?: Network;
  environment: Record<string, string>;
  tables: readonly TableUse[];
  /** ARNs of the secrets that its variables refer to. */
  secrets: readonly string[];
  /** Executions at once; undefined: what the account has left. */
  concurrency?: number | undefined;
  timeout: Duration;
}

/**
 * Megabytes. A function has CPU in proportion to it, a whole core at 1,769 (AWS Lambda developer guide, "Configure
 * Lambda function memory"); less would make its start and its TLS handshakes slow.
 */
const MEMORY = 1_024;

export class RegionFunction extends Construct {
  readonly function: lambda.Function;
  readonly logs: logs.LogGroup;

  constructor(scope: Construct, id: string, props: RegionFunctionProps) {
    super(scope, id);
    const { name, network, environment, tables, secrets, concurrency, timeout } = props;
    this.logs = new logs.LogGroup(this, 'Logs', {
      logGroupName: `/meridian/functions/${name}`,
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    this.logs.grantWrite(role);
    const functionName = `meridian-${name}`;
    if (network) this.#letIntoNetwork(role, functionName);
    this.function = new lambda.Function(this, 'Function', {
      functionName,
      code: lambda.Code.fromAsset(bundlePath(name)),
      handler: 'index.handler',
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      memorySize: MEMORY,
      timeout,
      role,
      logGroup: this.logs,
      environment: { ...environment, POWERTOOLS_SERVICE_NAME: name },
      reservedConcurrentExecutions: concurrency,
      tracing: lambda.Tracing.DISABLED,
      ...(network && {
        vpc: network.vpc,
        vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
        securityGroups: [network.functions],
        ipv6AllowedForDualStack: true,
      }),
    });
    for (const { arn, actions, keysFrom } of tables) {
      role.addToPolicy(
        new iam.PolicyStatement({
          actions: [...actions],
          resources: [arn],
          ...(keysFrom !== undefined && {
            conditions: { 'ForAllValues:StringLike': { 'dynamodb:LeadingKeys': [`${keysFrom}*`] } },
          }),
        }),
      );
    }
    if (secrets.length > 0) {
      role.addToPolicy(
        new iam.PolicyStatement({ actions: ['secretsmanager:GetSecretValue'], resources: [...secrets] }),
      );
    }
  }

  /** Lambda's own part, with the function's role: the code itself is denied it (AWS Lambda developer guide, "VPC permissions"). */
  #letIntoNetwork(role: iam.Role, functionName: string): void {
    const { region, account } = Stack.of(this);
    const actions = [
      'ec2:CreateNetworkInterface',
      'ec2:DeleteNetworkInterface',
      'ec2:DescribeNetworkInterfaces',
      'ec2:DescribeSubnets',
      'ec2:AssignPrivateIpAddresses',
      'ec2:UnassignPrivateIpAddresses',
    ];
    role.addToPolicy(new iam.PolicyStatement({ actions, resources: ['*'] }));
    justify(
      role,
      'IAM5[Resource::*]',
      'A network interface has no name before it is made; the code is denied it.',
    );
    role.addToPolicy(
      new iam.PolicyStatement({
        effect: iam.Effect.DENY,
        actions,
        resources: ['*'],
        conditions: {
          ArnEquals: {
            'lambda:SourceFunctionArn': [`arn:aws:lambda:${region}:${account}:function:${functionName}`],
          },
        },
      }),
    );
  }

  allow(actions: string[], resources: string[]): void {
    this.function.addToRolePolicy(new iam.PolicyStatement({ actions, resources }));
  }
}
