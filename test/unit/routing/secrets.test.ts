// Variables that name a secret get its text; the service is asked for nothing else.

import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { mockClient } from 'aws-sdk-client-mock';
import { afterEach, expect, it } from 'vitest';
import { withSecrets } from '#routing/secrets.ts';

const secretsManager = mockClient(SecretsManagerClient);
afterEach(() => secretsManager.reset());

it('a reference becomes the text of its secret, all else stays', async () => {
  secretsManager
    .on(GetSecretValueCommand, { SecretId: 'meridian/token-key' })
    .resolves({ SecretString: 'key' });
  const environment = {
    MERIDIAN_TOKEN_KEY: 'secretsmanager:meridian/token-key',
    MERIDIAN_REGION: 'eu-west-1',
  };
  expect(await withSecrets(environment)).toEqual({ MERIDIAN_TOKEN_KEY: 'key', MERIDIAN_REGION: 'eu-west-1' });
  expect(secretsManager.calls().map(({ args }) => args[0].input)).toEqual([
    { SecretId: 'meridian/token-key' },
  ]);
  expect(environment.MERIDIAN_TOKEN_KEY).toBe('secretsmanager:meridian/token-key');
});

it('without a reference nothing is asked', async () => {
  const environment = { MERIDIAN_TOKEN_KEY: 'AAAA', EMPTY: undefined };
  expect(await withSecrets(environment)).toBe(environment);
  expect(secretsManager.calls()).toEqual([]);
});

it.each([
  ['that cannot be read', () => secretsManager.on(GetSecretValueCommand).rejects(new Error('not allowed'))],
  ['without text', () => secretsManager.on(GetSecretValueCommand).resolves({})],
])('a secret %s is named, with its variable', async (_, prepare) => {
  prepare();
  await expect(withSecrets({ MERIDIAN_TOKEN_KEY: 'secretsmanager:meridian/token-key' })).rejects.toThrow(
    /^MERIDIAN_TOKEN_KEY: the secret meridian\/token-key could not be read: /,
  );
});
