// The stacks of a deployment, under the names by which they are deployed.

import type { App } from 'aws-cdk-lib';
import { builtArchives, type NodeArchives } from './artifact.ts';
import type { Deployment } from './config.ts';
import { GlobalStack } from './global-stack.ts';
import { RegionStack } from './region-stack.ts';

/** @param archives what nodes are started from: as `npm run build:node` left it. */
export function stacksOf(
  app: App,
  deployment: Deployment,
  archives: NodeArchives = builtArchives,
): { global: GlobalStack; regions: RegionStack[] } {
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
        archives,
        env: { account, region: region.id },
        description: `Meridian in ${region.id}`,
      }),
  );
  return { global, regions };
}
