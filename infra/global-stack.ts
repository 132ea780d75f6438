// What exists once: the tables and secrets that every region has a replica of, and a dashboard over all regions.

import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { nodeGroup } from '#routing/node-record.ts';
import { justify } from './checks.ts';
import { type Deployment, regionName } from './config.ts';
import { CONTROL_TABLE, fleetName, SECRETS, STREAMS_TABLE } from './names.ts';

/** Characters of a generated key: letters and digits are base64, and 64 of them are 48 bytes. */
const KEY_LENGTH = 64;

export interface GlobalStackProps extends StackProps {
  deployment: Deployment;
}

export class GlobalStack extends Stack {
  constructor(scope: Construct, id: string, { deployment, ...props }: GlobalStackProps) {
    super(scope, id, props);
    const others = deployment.regions.filter(({ id: region }) => region !== deployment.globalRegion);
    const replicas = others.map(({ id: region }) => ({ region }));
    for (const tableName of [STREAMS_TABLE, CONTROL_TABLE]) this.#table(tableName, replicas);
    for (const [key, secretName] of Object.entries(SECRETS)) this.#secret(key, secretName, replicas);
    this.#dashboard(deployment);
  }

  /** Eventually consistent between regions: every item has one writing region (docs/architecture.md, "State"). */
  #table(tableName: string, replicas: dynamodb.ReplicaTableProps[]): void {
    new dynamodb.TableV2(this, tableName, {
      tableName,
      partitionKey: { name: 'pk', type: dynamodb.AttributeType.STRING },
      sortKey: { name: 'sk', type: dynamodb.AttributeType.STRING },
      timeToLiveAttribute: 'expiresAt',
      billing: dynamodb.Billing.onDemand(),
      encryption: dynamodb.TableEncryptionV2.awsManagedKey(),
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      // Also where the stack's creation fails: the protection would only make that failure's clean-up fail, too.
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
      replicas,
    });
  }

  #secret(id: string, secretName: string, replicaRegions: secretsmanager.ReplicaRegion[]): void {
    const secret = new secretsmanager.Secret(this, id, {
      secretName,
      generateSecretString: { passwordLength: KEY_LENGTH, excludePunctuation: true },
      replicaRegions,
      // Kept, but not where the stack's very creation fails: the next try would find its name taken.
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    const why =
      'Nodes and functions that run hold the key that they started with: docs/deploy.md says how to change one.';
    justify(secret, 'SMG4', why);
  }

  /** The graphs that stand beside each other: what differs between regions shows. */
  #dashboard(deployment: Deployment): void {
    const dashboard = new cloudwatch.Dashboard(this, 'Dashboard', { dashboardName: 'meridian' });
    const graph = (title: string, left: cloudwatch.IMetric[]) =>
      new cloudwatch.GraphWidget({ title, left, width: 8, region: deployment.globalRegion });
    const inEach = (make: (region: string) => cloudwatch.IMetric[]) =>
      deployment.regions.flatMap(({ id }) => make(id));
    const fleetMetric = (region: string, group: string, metricName: string, statistic: string) =>
      new cloudwatch.Metric({
        namespace: 'AWS/EC2',
        metricName,
        dimensionsMap: { AutoScalingGroupName: fleetName(group) },
        region,
        statistic,
        label: `${region} ${group}`,
        period: Duration.minutes(1),
      });
    const apiMetric = (region: string, metricName: string, statistic: string) =>
      new cloudwatch.MathExpression({
        expression: `SEARCH('{AWS/ApiGateway,ApiId,Stage} MetricName="${metricName}"', '${statistic}', 60)`,
        label: regionName(deployment, region),
        searchRegion: region,
      });
    const ofFleets = (metricName: string, statistic: string) =>
      inEach((region) => nodeGroup.options.map((group) => fleetMetric(region, group, metricName, statistic)));
    dashboard.addWidgets(
      graph('CPU of the fleets, percent', ofFleets('CPUUtilization', 'Average')),
      graph('Bytes out of the fleets', ofFleets('NetworkOut', 'Sum')),
      graph(
        'Requests',
        inEach((region) => [apiMetric(region, 'Count', 'Sum')]),
      ),
      graph(
        'Latency of the APIs, p99',
        inEach((region) => [apiMetric(region, 'Latency', 'p99')]),
      ),
      graph(
        'Errors of ours (5xx)',
        inEach((region) => [apiMetric(region, '5xx', 'Sum')]),
      ),
    );
  }
}
