// The function that takes a region out of the global name while its fleets cannot take sessions, each minute.

import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
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
    new events.Rule(this, 'EachMinute', {
      description: 'Whether the region can take sessions',
      schedule: events.Schedule.rate(Duration.minutes(1)),
      // A check that failed is not made up for: the next one comes in a minute.
      targets: [new LambdaFunction(this.function, { retryAttempts: 0 })],
    });
  }
}
