// Each minute: whether the region can take sessions, and whether it is under the global name.

import { Route53Client } from '@aws-sdk/client-route-53';
import middy from '@middy/core';
import * as z from 'zod';
import { DynamoControlStore } from '#routing/control-store.ts';
import { dynamoDocuments } from '#routing/dynamo.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { regionApis, setVariables } from '#routing/environment.ts';
import { regionId } from '#routing/names.ts';
import { DynamoStandingStore } from '#routing/standing-store.ts';
import { timingFrom } from '#routing/timing.ts';
import { CHECK_INTERVAL } from './contract.ts';
import { Route53GeoDns } from './geo-dns.ts';
import { RegionHealth } from './region-health.ts';

const environment = z
  .object({
    MERIDIAN_REGION: regionId,
    MERIDIAN_REGIONS: regionApis,
    MERIDIAN_NODES_TABLE: z.string().min(3),
    MERIDIAN_CONTROL_TABLE: z.string().min(3),
    MERIDIAN_HEALTH_CHECK_ID: z.string().min(1),
  })
  .parse(setVariables(process.env));

const timing = timingFrom(process.env);
const documents = dynamoDocuments({ region: environment.MERIDIAN_REGION, timeout: timing.call });
const health = new RegionHealth({
  region: environment.MERIDIAN_REGION,
  regions: environment.MERIDIAN_REGIONS.map(({ id }) => id),
  nodes: new DynamoNodeRegistry(documents, environment.MERIDIAN_NODES_TABLE),
  control: new DynamoControlStore(documents, environment.MERIDIAN_CONTROL_TABLE),
  standings: new DynamoStandingStore(documents, environment.MERIDIAN_CONTROL_TABLE),
  dns: new Route53GeoDns(new Route53Client({}), environment.MERIDIAN_HEALTH_CHECK_ID),
  deadAfter: timing.nodeDeadAfter,
  interval: CHECK_INTERVAL,
});

export const handler = middy().handler(() => health.check());
