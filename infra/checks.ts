// What every synthesis is checked against: cdk-nag's AWS Solutions rules, and guard rules of our own.

import { fileURLToPath } from 'node:url';
import { CfnGuardValidator } from '@cdklabs/cdk-validator-cfnguard';
import { type App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { IConstruct } from 'constructs';

const OWN_RULES = fileURLToPath(new URL('guard/meridian.guard', import.meta.url));

export function addChecks(app: App): void {
  Validations.of(app).addPlugins(
    new AwsSolutionsChecks(app),
    // Control Tower's own rules refuse instances with public addresses, which media nodes must have.
    new CfnGuardValidator({ controlTowerRulesEnabled: false, rules: [OWN_RULES] }),
  );
}

/** A rule that does not hold here, and why it need not. @param finding as the report names it, without the pack. */
export function justify(scope: IConstruct, finding: string, reason: string): void {
  Validations.of(scope).acknowledge({ id: `AwsSolutions::AwsSolutions-${finding}`, reason });
}
