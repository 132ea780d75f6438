// A region's HTTP API: its routes, its own name, and the global name.

import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import * as acm from 'aws-cdk-lib/aws-certificatemanager';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as route53 from 'aws-cdk-lib/aws-route53';
import { ApiGatewayv2DomainProperties } from 'aws-cdk-lib/aws-route53-targets';
import { Construct } from 'constructs';
import { API_ROUTES, type FunctionName } from '#functions/routes.ts';
import { justify } from './checks.ts';
import { type Deployment, regionName } from './config.ts';

export interface ApiProps {
  deployment: Deployment;
  region: string;
  functions: Readonly<Record<FunctionName, IFunction>>;
}

/**
 * Seconds between checks of one of Route 53's checkers, and failed ones in a row until the region is out: it has some
 * 15 checkers, so a region gets one or two requests a second.
 */
const HEALTH_CHECK = { interval: Duration.seconds(10), failures: 3 };

/** No query: it may hold a token. */
const ACCESS_LOG = {
  time: '$context.requestTime',
  requestId: '$context.requestId',
  sourceIp: '$context.identity.sourceIp',
  method: '$context.httpMethod',
  path: '$context.path',
  status: '$context.status',
  latency: '$context.responseLatency',
};

export class Api extends Construct {
  readonly api: apigateway.HttpApi;
  readonly healthCheck: route53.HealthCheck;

  constructor(scope: Construct, id: string, { deployment, region, functions }: ApiProps) {
    super(scope, id);
    this.api = new apigateway.HttpApi(this, 'Api', {
      apiName: 'meridian',
      createDefaultStage: false,
      disableExecuteApiEndpoint: true,
      ipAddressType: apigateway.IpAddressType.DUAL_STACK,
    });
    this.#addRoutes(functions);
    const stage = this.#stage(deployment);

    const zone = route53.PublicHostedZone.fromHostedZoneAttributes(this, 'Zone', {
      hostedZoneId: deployment.zone.id,
      zoneName: deployment.zone.name,
    });
    const own = this.#domain('Own', regionName(deployment, region), zone, stage);
    const ownTarget = route53.RecordTarget.fromAlias(own);
    const ownRecord = { zone, recordName: `${regionName(deployment, region)}.`, target: ownTarget };
    new route53.ARecord(this, 'OwnA', ownRecord);
    new route53.AaaaRecord(this, 'OwnAaaa', ownRecord);

    // functions/region-health may override it; the record is CloudFormation's alone.
    this.healthCheck = new route53.HealthCheck(this, 'HealthCheck', {
      type: route53.HealthCheckType.HTTPS,
      fqdn: regionName(deployment, region),
      port: 443,
      resourcePath: '/healthz',
      requestInterval: HEALTH_CHECK.interval,
      failureThreshold: HEALTH_CHECK.failures,
      enableSNI: true,
    });
    const global = this.#domain('Global', deployment.globalName, zone, stage);
    const globalRecord = {
      zone,
      recordName: `${deployment.globalName}.`,
      target: route53.RecordTarget.fromAlias(global),
      region,
      setIdentifier: region,
      healthCheck: this.healthCheck,
    };
    new route53.ARecord(this, 'GlobalA', globalRecord);
    new route53.AaaaRecord(this, 'GlobalAaaa', globalRecord);
  }

  #addRoutes(functions: ApiProps['functions']): void {
    const integrations = new Map<FunctionName, HttpLambdaIntegration>();
    for (const { method, path, function: name, auth } of API_ROUTES) {
      const integration = integrations.get(name) ?? new HttpLambdaIntegration(`To-${name}`, functions[name]);
      integrations.set(name, integration);
      const routes = this.api.addRoutes({
        path,
        methods: [apigateway.HttpMethod[method]],
        integration,
        ...(auth === 'iam' ? { authorizer: new HttpIamAuthorizer() } : {}),
      });
      if (auth === 'iam') continue;
      const why =
        'The function checks tokens and secrets itself; preflights, playing and /healthz need none.';
      for (const route of routes) justify(route, 'APIG4', why);
    }
  }

  #stage({ throttle }: Deployment): apigateway.HttpStage {
    const accessLogs = new logs.LogGroup(this, 'AccessLogs', {
      logGroupName: '/meridian/api',
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    return new apigateway.HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: throttle.rate, burstLimit: throttle.burst },
      accessLogSettings: {
        destination: new apigateway.LogGroupLogDestination(accessLogs),
        format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
      },
    });
  }

  /** A name with a certificate of its own; the global name has one in every region. */
  #domain(
    id: string,
    domainName: string,
    zone: route53.IHostedZone,
    stage: apigateway.HttpStage,
  ): ApiGatewayv2DomainProperties {
    const certificate = new acm.Certificate(this, `${id}Certificate`, {
      domainName,
      validation: acm.CertificateValidation.fromDns(zone),
    });
    const domain = new apigateway.DomainName(this, `${id}Name`, {
      domainName,
      certificate,
      securityPolicy: apigateway.SecurityPolicy.TLS_1_2,
      ipAddressType: apigateway.IpAddressType.DUAL_STACK,
    });
    new apigateway.ApiMapping(this, `${id}Mapping`, { api: this.api, domainName: domain, stage });
    return new ApiGatewayv2DomainProperties(domain.regionalDomainName, domain.regionalHostedZoneId);
  }
}
