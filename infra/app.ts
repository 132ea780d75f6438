// The CDK app: one global stack, and one stack for each region, each deployed by its own name.

import { App, Tags } from 'aws-cdk-lib';
import { buildBundles } from './bundles.ts';
import { addChecks } from './checks.ts';
import { deploymentFrom } from './config.ts';
import { deployment as input } from './deployment.ts';
import { stacksOf } from './stacks.ts';

try {
  const app = new App();
  buildBundles();
  addChecks(app);
  stacksOf(app, deploymentFrom(input));
  Tags.of(app).add('system', 'meridian');
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
