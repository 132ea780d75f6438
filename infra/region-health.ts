// The function that takes a region out of the global name while its fleets cannot take sessions, each minute.

import { Duration } from 'aws-cdk-lib';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import { Construct } from 'constructs';
import { RegionFunction, type TableUse } from './functions.ts';
import { CONTROL_TABLE } from './names.ts';

export interface RegionHealthProps {
  healthCheckId: string;
  environment: Record<string, string>;
  tables: readonly TableUse[];
  /** The names of all regions' APIs. */
}

export class RegionHealthSchedule extends Construct {
  readonly function: lambda.IFunction;

  constructor(scope: Construct, id: string, { healthCheckId, environment, tables }: RegionHealthProps) {
    super(scope, id);
    const health = new RegionFunction(this, 'Function-region-health', {
      name: 'region-health',
      environment: {
        ...environment,
        MERIDIAN_CONTROL_TABLE: CONTROL_TABLE,
        MERIDIAN_HEALTH_CHECK_ID: healthCheckId,
      },
      tables,
      secrets: [],
      // One at a time: it decides from what the run before it left.
      reservedConcurrency: 1,
      timeout: Duration.seconds(30),
    });
    health.allow(
      ['route53:GetHealthCheck', 'route53:UpdateHealthCheck'],
      [`arn:aws:route53:::healthcheck/${healthCheckId}`],
    );
    this.function = health.function;
    new Schedule(this, 'EachMinute', {
      schedule: ScheduleExpression.rate(Duration.minutes(1)),
      target: new LambdaInvoke(this.function, { retryAttempts: 0 }),
      description: 'Whether the region can take sessions',
    });
  }
}
