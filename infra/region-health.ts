// The function that takes a region out of the global name while its fleets cannot take sessions, each minute.

import { Duration } from 'aws-cdk-lib';
import * as events from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { CHECK_INTERVAL } from '#functions/region-health/contract.ts';
import { RegionFunction, type TableUse } from './functions.ts';
import { CONTROL_TABLE } from './names.ts';

const CHECK = Duration.millis(CHECK_INTERVAL);

export interface RegionHealthProps {
  healthCheckId: string;
  environment: Record<string, string>;
  tables: readonly TableUse[];
}

export class RegionHealthSchedule extends Construct {
  readonly function: lambda.IFunction;
  readonly logs: logs.ILogGroup;

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
      timeout: Duration.seconds(30),
    });
    health.allow(
      ['route53:GetHealthCheck', 'route53:UpdateHealthCheck'],
      [`arn:aws:route53:::healthcheck/${healthCheckId}`],
    );
    this.function = health.function;
    this.logs = health.logs;
    // A check that failed is not made up for: the next one comes in a minute, and counts for itself.
    this.function.configureAsyncInvoke({ retryAttempts: 0, maxEventAge: CHECK });
    new events.Rule(this, 'EachMinute', {
      description: 'Whether the region can take sessions',
      schedule: events.Schedule.rate(CHECK),
      targets: [new LambdaFunction(this.function, { retryAttempts: 0 })],
    });
  }
}
