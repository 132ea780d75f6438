// What wakes an operator: a region that cannot take sessions, errors of ours, functions that are throttled, fleets that
// cannot grow. docs/operations.md says what to do about each.

import { Duration, Stack } from 'aws-cdk-lib';
import type * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import type * as autoscaling from 'aws-cdk-lib/aws-autoscaling';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sns from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import { CANNOT_SERVE } from '#functions/region-health/contract.ts';
import type { RegionHealthSchedule } from './region-health.ts';

export interface AlarmsProps {
  /** None: the alarms stand in CloudWatch and tell nobody. */
  email: string | undefined;
  api: apigateway.HttpApi;
  functions: readonly lambda.IFunction[];
  health: RegionHealthSchedule;
  fleets: readonly autoscaling.AutoScalingGroup[];
}

export class Alarms extends Construct {
  constructor(scope: Construct, id: string, { email, api, functions, health, fleets }: AlarmsProps) {
    super(scope, id);
    const topic = new sns.Topic(this, 'Topic', { topicName: 'meridian-alarms', enforceSSL: true });
    // A policy replaces SNS's own one, which lets the account's alarms in.
    topic.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    if (email !== undefined) topic.addSubscription(new EmailSubscription(email));
    const action = new SnsAction(topic);
    const alarm = (name: string, props: Omit<cloudwatch.AlarmProps, 'alarmName'>) =>
      new cloudwatch.Alarm(this, name, {
        treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
        ...props,
        alarmName: `meridian ${name}`,
      }).addAlarmAction(action);
    const period = Duration.minutes(1);

    alarm('region-unable', {
      alarmDescription:
        'A group has had no node that can take a session for three minutes: the region leaves the global name, if it is not the last.',
      metric: new logs.MetricFilter(this, 'Unable', {
        logGroup: health.logs,
        filterPattern: logs.FilterPattern.stringValue('$.message', '=', CANNOT_SERVE),
        metricNamespace: 'Meridian',
        metricName: 'RegionUnable',
      }).metric({ period, statistic: 'Sum' }),
      threshold: 1,
      // Two runs may fall into one minute, and none into the next.
      evaluationPeriods: 5,
      datapointsToAlarm: 3,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    });
    alarm('region-unchecked', {
      alarmDescription:
        'region-health has not ended well for five minutes: nothing takes the region out or in. Its log says why.',
      metric: new cloudwatch.MathExpression({
        expression: 'runs - errors',
        usingMetrics: {
          runs: health.function.metricInvocations({ period }),
          errors: health.function.metricErrors({ period }),
        },
        period,
      }),
      threshold: 1,
      evaluationPeriods: 5,
      comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
      treatMissingData: cloudwatch.TreatMissingData.BREACHING,
    });
    alarm('api-errors', {
      alarmDescription:
        'More than 1% of the requests got a 5xx for five minutes. The functions’ logs say why.',
      metric: new cloudwatch.MathExpression({
        expression: '100 * errors / IF(requests > 0, requests, 1)',
        usingMetrics: {
          errors: api.metricServerError({ period, statistic: 'Sum' }),
          requests: api.metricCount({ period, statistic: 'Sum' }),
        },
        period,
      }),
      threshold: 1,
      evaluationPeriods: 5,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
    });
    for (const fn of functions) {
      alarm(`${fn.node.path.split('/').at(-2)}-throttled`, {
        alarmDescription: 'Lambda refused executions: raise the account’s or the function’s concurrency.',
        metric: fn.metricThrottles({ period }),
        threshold: 1,
        evaluationPeriods: 3,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      });
    }
    for (const fleet of fleets) {
      const groupMetric = (metricName: string) =>
        new cloudwatch.Metric({
          namespace: 'AWS/AutoScaling',
          metricName,
          dimensionsMap: { AutoScalingGroupName: fleet.autoScalingGroupName },
          statistic: 'Maximum',
          period,
        });
      alarm(`${fleet.node.path.split('/').at(-2)}-at-its-maximum`, {
        alarmDescription: 'The group has as many instances as it may: raise its max in infra/deployment.ts.',
        metric: new cloudwatch.MathExpression({
          expression: 'wanted / most * 100',
          usingMetrics: { wanted: groupMetric('GroupDesiredCapacity'), most: groupMetric('GroupMaxSize') },
          period,
        }),
        threshold: 100,
        evaluationPeriods: 15,
        comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      });
    }
  }
}
