// The archive that a node is started from, as `npm run build:node` leaves it; synth takes it and builds nothing.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CfnRule, Fn, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import type { Construct } from 'constructs';

export type NodeArchitecture = 'arm64' | 'x64';

export const archiveName = (architecture: NodeArchitecture): string => `meridian-node-${architecture}.tar.gz`;

/** Where `npm run build:node` writes. */
const archivePath = (architecture: NodeArchitecture): string =>
  fileURLToPath(new URL(`../dist/${archiveName(architecture)}`, import.meta.url));

/** The archive of an architecture, or undefined where it has not been built. */
export type NodeArchives = (architecture: NodeArchitecture) => string | undefined;

export const builtArchives: NodeArchives = (architecture) => {
  const path = archivePath(architecture);
  return existsSync(path) ? path : undefined;
};

/**
 * Instance families of AWS's own processors have a `g` after their generation (c7g, m8gd, t4g); a1 is the oldest.
 * (EC2 instance type naming conventions, AWS.)
 */
export const architectureOf = (instanceType: string): NodeArchitecture =>
  /^(a1|[a-z]+\d+g[a-z]*(-[a-z0-9]+)?)\./.test(instanceType) ? 'arm64' : 'x64';

/**
 * Puts an archive where instances get it. Where it has not been built the stack can be synthesised and looked at, and its
 * deployment fails at once, by a rule that says what to do.
 * @param role may read it: the one object, for its bucket holds other assets, too.
 * @returns its URL.
 */
export function nodeArtifact(
  scope: Construct,
  {
    architecture,
    archives,
    role,
  }: { architecture: NodeArchitecture; archives: NodeArchives; role: iam.IRole },
): string {
  const path = archives(architecture);
  if (path !== undefined) {
    const { bucket, s3ObjectKey, s3ObjectUrl } = new Asset(scope, `Node-${architecture}`, { path });
    role.addToPrincipalPolicy(
      new iam.PolicyStatement({ actions: ['s3:GetObject'], resources: [bucket.arnForObjects(s3ObjectKey)] }),
    );
    return s3ObjectUrl;
  }
  const stack = Stack.of(scope);
  // Both groups may be of one architecture: one rule for both.
  const ruleId = `NodeArchive${architecture}`;
  if (stack.node.tryFindChild(ruleId) === undefined) {
    new CfnRule(stack, ruleId, {
      assertions: [
        {
          assert: Fn.conditionEquals('built', 'missing'),
          assertDescription: `${archivePath(architecture)} is missing: run npm run build:node, then deploy again`,
        },
      ],
    });
  }
  return 's3://not-built/';
}
