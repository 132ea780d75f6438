// The archive that a node is started from, as `npm run build:node` leaves it; synth takes it and builds nothing.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CfnRule, Fn, type Stack } from 'aws-cdk-lib';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import type { Construct } from 'constructs';

export type NodeArchitecture = 'arm64' | 'x64';

/** Where `npm run build:node` writes. */
export const archivePath = (architecture: NodeArchitecture): string =>
  fileURLToPath(new URL(`../dist/meridian-node-${architecture}.tar.gz`, import.meta.url));

/**
 * Instance families of AWS's own processors have a `g` after their generation (c7g, m8gd, t4g); a1 is the oldest.
 * (EC2 instance type naming conventions, AWS.)
 */
export const architectureOf = (instanceType: string): NodeArchitecture =>
  /^(a1|[a-z]+\d+g[a-z]*(-[a-z0-9]+)?)\./.test(instanceType) ? 'arm64' : 'x64';

/**
 * The archive as an asset, or undefined where it has not been built: then the stack can be synthesised and looked at, and
 * its deployment fails at once, by a rule that says what to do.
 */
export function nodeArtifact(
  scope: Construct,
  stack: Stack,
  architecture: NodeArchitecture,
): Asset | undefined {
  const path = archivePath(architecture);
  if (existsSync(path)) return new Asset(scope, `Node-${architecture}`, { path });
  // Both groups may be of one architecture: one rule for both.
  const ruleId = `NodeArchive${architecture}`;
  if (stack.node.tryFindChild(ruleId)) return undefined;
  new CfnRule(stack, ruleId, {
    assertions: [
      {
        assert: Fn.conditionEquals('built', 'missing'),
        assertDescription: `${path} is missing: run npm run build:node, then deploy again`,
      },
    ],
  });
  return undefined;
}
