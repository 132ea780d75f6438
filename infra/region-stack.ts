// What a region has: network, node table, functions behind its API, two fleets, health and alarms. Deployed alone.

import { Duration, RemovalPolicy, Stack, type StackProps, Validations } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import type { FunctionName } from '#functions/routes.ts';
import { TICKET } from '#routing/control-store.ts';
import { nodeGroup } from '#routing/node-record.ts';
import { timingFrom } from '#routing/timing.ts';
import { Alarms } from './alarms.ts';
import { Api } from './api.ts';
import type { NodeArchives } from './artifact.ts';
import { justify } from './checks.ts';
import { type Deployment, type RegionConfig, regionName, timingVariables } from './config.ts';
import { Fleet } from './fleet.ts';
import { RegionFunction, type TableUse } from './functions.ts';
import {
  CONTROL_TABLE,
  fleetName,
  NODES_TABLE,
  SECRETS,
  STREAMS_TABLE,
  secretArn,
  secretReference,
} from './names.ts';
import { Network } from './network.ts';
import { RegionHealthSchedule } from './region-health.ts';

export interface RegionStackProps extends StackProps {
  deployment: Deployment;
  region: RegionConfig;
  archives: NodeArchives;
}

/** A session may wait for a leg from another region: two calls (functions/http/sessions.ts), tried on several nodes. */
const TIMEOUT = Duration.seconds(29);

export class RegionStack extends Stack {
  readonly #deployment: Deployment;
  readonly #region: RegionConfig;

  constructor(scope: Construct, id: string, { deployment, region, archives, ...props }: RegionStackProps) {
    super(scope, id, props);
    this.#deployment = deployment;
    this.#region = region;
    Validations.of(this).acknowledge({
      id: 'CloudFormation-Validate::W3010',
      reason: 'Zones are named in infra/deployment.ts: synthesis needs no account to look them up in.',
    });

    const network = new Network(this, 'Network', { region });
    const nodes = new dynamodb.TableV2(this, 'NodesTable', {
      tableName: NODES_TABLE,
      partitionKey: { name: 'pk', type: dynamodb.AttributeType.STRING },
      timeToLiveAttribute: 'expiresAt',
      billing: dynamodb.Billing.onDemand(),
      encryption: dynamodb.TableEncryptionV2.awsManagedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      // Every node writes its item again within a second: there is nothing to keep.
      removalPolicy: RemovalPolicy.DESTROY,
    });

    const functions = this.#functions(network, nodes);
    const api = new Api(this, 'Api', { deployment, region: region.id, functions });

    const role = this.#nodeRole(nodes);
    const fleets = nodeGroup.options.map(
      (group) =>
        new Fleet(this, `Fleet-${group}`, {
          group,
          config: region[group],
          network,
          role,
          archives,
          environment: this.#nodeEnvironment(),
          drain: timingFrom(timingVariables(deployment.timings)).drain,
        }),
    );
    const health = new RegionHealthSchedule(this, 'Health', {
      healthCheckId: api.healthCheck.healthCheckId,
      environment: this.#environment(),
      tables: [
        this.#table(CONTROL_TABLE, ['dynamodb:Query', 'dynamodb:PutItem']),
        { arn: nodes.tableArn, actions: ['dynamodb:Scan'] },
      ],
    });
    new Alarms(this, 'Alarms', {
      email: deployment.alarmEmail,
      api: api.api,
      functions: [...Object.values(functions), health.function],
      health,
      fleets: fleets.map(({ group }) => group),
    });
  }

  override get availabilityZones(): string[] {
    // Given, not looked up: synthesis needs no account.
    return this.#region.zones.map((letter) => `${this.#region.id}${letter}`);
  }

  #functions(network: Network, nodes: dynamodb.TableV2): Record<FunctionName, RegionFunction['function']> {
    // A large region's list is one item (routing/node-list-store.ts).
    const readNodes: TableUse = { arn: nodes.tableArn, actions: ['dynamodb:GetItem', 'dynamodb:Scan'] };
    const readClaims = this.#table(STREAMS_TABLE, ['dynamodb:Query']);
    const readSecrets = this.#table(CONTROL_TABLE, ['dynamodb:GetItem']);
    const spendTickets: TableUse = { ...this.#table(CONTROL_TABLE, ['dynamodb:PutItem']), keysFrom: TICKET };
    const uses: Record<FunctionName, { tables: TableUse[]; callsNodes: boolean }> = {
      whip: { tables: [readNodes, readClaims, spendTickets], callsNodes: true },
      whep: { tables: [readNodes, readClaims], callsNodes: true },
      cascade: { tables: [readNodes, readClaims], callsNodes: true },
      api: {
        tables: [
          readNodes,
          this.#table(STREAMS_TABLE, ['dynamodb:Query', 'dynamodb:Scan']),
          this.#table(CONTROL_TABLE, ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:DeleteItem']),
        ],
        callsNodes: true,
      },
      'cluster-nodes': { tables: [readNodes, readSecrets], callsNodes: false },
      healthz: { tables: [readNodes, this.#table(CONTROL_TABLE, ['dynamodb:Query'])], callsNodes: false },
    };
    const make = (name: FunctionName) => {
      const { tables, callsNodes } = uses[name];
      return new RegionFunction(this, `Function-${name}`, {
        name,
        tables,
        network: callsNodes ? network : undefined,
        environment: this.#functionEnvironment(),
        secrets: this.#functionSecrets(),
        concurrency: this.#deployment.concurrency[name],
        timeout: TIMEOUT,
      }).function;
    };
    return {
      whip: make('whip'),
      whep: make('whep'),
      cascade: make('cascade'),
      api: make('api'),
      'cluster-nodes': make('cluster-nodes'),
      healthz: make('healthz'),
    };
  }

  /** What nodes may do: their own region's table and claims, legs from other regions, and the end of their own drain. */
  #nodeRole(nodes: dynamodb.TableV2): iam.Role {
    const role = new iam.Role(this, 'NodeRole', {
      assumedBy: new iam.ServicePrincipal('ec2.amazonaws.com'),
      managedPolicies: [iam.ManagedPolicy.fromAwsManagedPolicyName('AmazonSSMManagedInstanceCore')],
    });
    const allow = (actions: string[], resources: string[]) =>
      role.addToPolicy(new iam.PolicyStatement({ actions, resources }));
    allow(['dynamodb:GetItem', 'dynamodb:Scan', 'dynamodb:PutItem', 'dynamodb:DeleteItem'], [nodes.tableArn]);
    const claims = this.#table(STREAMS_TABLE, []);
    allow(['dynamodb:Query', 'dynamodb:Scan', 'dynamodb:PutItem', 'dynamodb:UpdateItem'], [claims.arn]);
    allow(['secretsmanager:GetSecretValue'], [secretArn(this.account, this.region, SECRETS.clusterKey)]);
    // The other regions' APIs have ids of their own, which this stack cannot know; the route is the bound.
    const apis = this.#deployment.regions.map(
      ({ id }) => `arn:aws:execute-api:${id}:${this.account}:*/*/POST/cascade/*`,
    );
    allow(['execute-api:Invoke'], apis);
    const groups = nodeGroup.options.map(
      (group) =>
        `arn:aws:autoscaling:${this.region}:${this.account}:autoScalingGroup:*:autoScalingGroupName/${fleetName(group)}`,
    );
    allow(['autoscaling:CompleteLifecycleAction'], groups);
    justify(
      role,
      'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/AmazonSSMManagedInstanceCore]',
      'Session Manager instead of SSH.',
    );
    for (const api of apis)
      justify(role, `IAM5[Resource::${api}]`, 'An API’s id is not known in another region; the route is.');
    for (const group of groups)
      justify(role, `IAM5[Resource::${group}]`, 'A group’s ARN has a random part; its name is fixed.');
    return role;
  }

  #environment(): Record<string, string> {
    const { regions, timings } = this.#deployment;
    const apis = regions.map(({ id }) => ({ id, api: `https://${regionName(this.#deployment, id)}` }));
    return {
      MERIDIAN_REGION: this.#region.id,
      MERIDIAN_REGIONS: JSON.stringify(apis),
      MERIDIAN_STREAMS_TABLE: STREAMS_TABLE,
      MERIDIAN_NODES_TABLE: NODES_TABLE,
      ...timingVariables(timings),
    };
  }

  #functionEnvironment(): Record<string, string> {
    const { stun, iceServersSecret } = this.#deployment;
    const iceServers =
      iceServersSecret === undefined
        ? JSON.stringify(stun.map((url) => ({ url })))
        : secretReference(iceServersSecret);
    return {
      ...this.#environment(),
      MERIDIAN_CONTROL_TABLE: CONTROL_TABLE,
      MERIDIAN_CLUSTER_KEY: secretReference(SECRETS.clusterKey),
      MERIDIAN_TOKEN_KEY: secretReference(SECRETS.tokenKey),
      MERIDIAN_SESSION_KEY: secretReference(SECRETS.sessionKey),
      MERIDIAN_ICE_SERVERS: iceServers,
      MERIDIAN_RATE_LIMITS: JSON.stringify(this.#deployment.rateLimits),
    };
  }

  #nodeEnvironment(): Record<string, string> {
    return {
      ...this.#environment(),
      AWS_REGION: this.#region.id,
      MERIDIAN_INSTANCE_METADATA: 'ec2',
      MERIDIAN_CROSSING_ADDRESS: this.#deployment.peered ? 'private' : 'public',
      MERIDIAN_FAILBACK: this.#deployment.failback ? 'on' : 'off',
      MERIDIAN_RATE_LIMITS: JSON.stringify(this.#deployment.rateLimits),
      MERIDIAN_CLUSTER_KEY: secretReference(SECRETS.clusterKey),
    };
  }

  #functionSecrets(): string[] {
    const { iceServersSecret } = this.#deployment;
    const names = [...Object.values(SECRETS), ...(iceServersSecret === undefined ? [] : [iceServersSecret])];
    return names.map((name) => secretArn(this.account, this.region, name));
  }

  /** This region's replica of a global table. */
  #table(name: string, actions: TableUse['actions']): TableUse {
    return { arn: `arn:aws:dynamodb:${this.region}:${this.account}:table/${name}`, actions };
  }
}
