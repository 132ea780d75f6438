// The stacks of an ordinary deployment, synthesised once for all tests of templates.

import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import type { NodeArchives } from '#infra/artifact.ts';
import { buildBundles } from '#infra/bundles.ts';
import { type Deployment, type DeploymentInput, deploymentFrom } from '#infra/config.ts';
import { stacksOf } from '#infra/stacks.ts';

export const input = (changes: Partial<DeploymentInput> = {}): DeploymentInput => ({
  account: '123456789012',
  zone: { id: 'Z0123456789ABC', name: 'example.org' },
  globalName: 'live.example.org',
  globalRegion: 'us-east-1',
  regions: [
    { id: 'us-east-1', cidr: '10.1.0.0/16' },
    { id: 'eu-west-1', cidr: '10.2.0.0/16' },
  ],
  ...changes,
});

let bundled = false;

/** None: what this machine has built does not matter to a test. */
export const NO_ARCHIVES: NodeArchives = () => undefined;

/** An app with the deployment's stacks, not synthesised yet. */
export function stacksIn(app: App, deployment: Deployment, archives: NodeArchives = NO_ARCHIVES) {
  if (!bundled) buildBundles();
  bundled = true;
  return stacksOf(app, deployment, archives);
}

function templatesOf(deployment: Deployment, archives?: NodeArchives) {
  const { global, regions } = stacksIn(new App(), deployment, archives);
  return { global: Template.fromStack(global), regions: regions.map((stack) => Template.fromStack(stack)) };
}

export const templates = (changes: Partial<DeploymentInput> = {}, archives?: NodeArchives) =>
  templatesOf(deploymentFrom(input(changes)), archives);

interface Statement {
  Action: string | string[];
  Resource: unknown;
  Effect: string;
  Condition?: Record<string, Record<string, unknown>>;
}

/** What the roles whose names contain `role` are allowed. */
function allowed(template: Template | undefined, role: string): Statement[] {
  const policies = Object.values(template?.findResources('AWS::IAM::Policy') ?? {});
  const own = policies.filter(({ Properties }) => JSON.stringify(Properties.Roles).includes(role));
  const statements: Statement[] = own.flatMap(({ Properties }) => Properties.PolicyDocument.Statement);
  return statements.filter(({ Effect }) => Effect === 'Allow');
}

/** What they may do, by action and resource. */
function allowances(template: Template | undefined, role: string): { action: string; resource: string }[] {
  return allowed(template, role).flatMap(({ Action, Resource }) =>
    [Action].flat().map((action) => ({ action, resource: JSON.stringify(Resource) })),
  );
}

/** What they may do with tables: `dynamodb:Query meridian-streams` … */
export const databaseActions = (template: Template | undefined, role: string): string[] =>
  allowances(template, role)
    .filter(({ action }) => action.startsWith('dynamodb:'))
    .map(({ action, resource }) => {
      const table = /table\/(meridian-[a-z]+)/.exec(resource)?.[1];
      return `${action} ${table ?? (resource.includes('NodesTable') ? 'meridian-nodes' : resource)}`;
    });

/** By which partition keys they may use a table; undefined stands for a statement without a bound. */
export const allowedKeys = (template: Template | undefined, role: string, table: string): unknown[] =>
  allowed(template, role)
    .filter(({ Resource }) => JSON.stringify(Resource).includes(`table/${table}`))
    .flatMap(({ Condition }) => Condition?.['ForAllValues:StringLike']?.['dynamodb:LeadingKeys']);

/** What they may do besides: `s3:GetObject` … */
export const otherActions = (template: Template | undefined, role: string): string[] =>
  allowances(template, role)
    .map(({ action }) => action)
    .filter((action) => !action.startsWith('dynamodb:'))
    .toSorted();
