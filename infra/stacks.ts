// The stacks of a deployment, under the names by which they are deployed.

import type { App } from 'aws-cdk-lib';
import type { Deployment } from './config.ts';
import { GlobalStack } from './global-stack.ts';
import { RegionStack } from './region-stack.ts';

export function stacksOf(app: App, deployment: Deployment): { global: GlobalStack; regions: RegionStack[] } {
  const { account, globalRegion } = deployment;
  const global = new GlobalStack(app, 'meridian-global', {
    deployment,
    env: { account, region: globalRegion },
    description: 'Meridian: the tables and secrets that every region has a replica of',
  });
  const regions = deployment.regions.map(
    (region) =>
      new RegionStack(app, `meridian-${region.id}`, {
        deployment,
        region,
        env: { account, region: region.id },
        description: `Meridian in ${region.id}`,
      }),
  );
  return { global, regions };
}
