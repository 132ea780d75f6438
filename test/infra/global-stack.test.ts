// The global stack's template: what every region relies on, and what must never be lost.

import { Match } from 'aws-cdk-lib/assertions';
import { expect, it } from 'vitest';
import { CONTROL_TABLE, SECRETS, STREAMS_TABLE } from '#infra/names.ts';
import { templates } from './stacks.ts';

const { global } = templates();

it.each([STREAMS_TABLE, CONTROL_TABLE])(
  'the table %s has a replica in every region, encrypted and recoverable',
  (name) => {
    const replica = (Region: string) =>
      Match.objectLike({
        Region,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        DeletionProtectionEnabled: true,
      });
    global.hasResource('AWS::DynamoDB::GlobalTable', {
      DeletionPolicy: 'Retain',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        TableName: name,
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
        BillingMode: 'PAY_PER_REQUEST',
        SSESpecification: { SSEEnabled: true, SSEType: 'KMS' },
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
        Replicas: Match.arrayWith([replica('eu-west-1'), replica('us-east-1')]),
      },
    });
  },
);

it.each(Object.values(SECRETS))(
  'the secret %s is generated, replicated and kept, unless its stack could not be made',
  (Name) => {
    global.hasResource('AWS::SecretsManager::Secret', {
      DeletionPolicy: 'RetainExceptOnCreate',
      UpdateReplacePolicy: 'Retain',
      Properties: {
        Name,
        // Letters and digits are base64, and 64 of them are 48 bytes: routing/environment.ts takes it as a key.
        GenerateSecretString: { PasswordLength: 64, ExcludePunctuation: true },
        ReplicaRegions: [{ Region: 'eu-west-1' }],
      },
    });
  },
);

it('another region is another replica, and nothing else changes', () => {
  const { global: more } = templates({
    regions: [
      { id: 'us-east-1', cidr: '10.1.0.0/16' },
      { id: 'eu-west-1', cidr: '10.2.0.0/16' },
      { id: 'ap-south-1', cidr: '10.3.0.0/16' },
    ],
  });
  for (const table of Object.values(more.findResources('AWS::DynamoDB::GlobalTable'))) {
    expect(table.Properties.Replicas).toHaveLength(3);
  }
  expect(Object.keys(more.toJSON().Resources)).toEqual(Object.keys(global.toJSON().Resources));
});

it('the dashboard shows every region’s fleets', () => {
  const [dashboard] = Object.values(global.findResources('AWS::CloudWatch::Dashboard'));
  const body = JSON.stringify(dashboard?.Properties.DashboardBody);
  for (const text of ['meridian-origin', 'meridian-edge', 'us-east-1', 'eu-west-1'])
    expect(body).toContain(text);
});
