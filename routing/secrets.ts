// Settings that stand in Secrets Manager: a variable names its secret, and has its value from then on.

/** `MERIDIAN_TOKEN_KEY=secretsmanager:meridian/token-key` */
const REFERENCE = /^secretsmanager:(.+)$/;

/** Milliseconds for one request: this happens once, while a function or node starts. */
const TIMEOUT = 3_000;

/**
 * The environment with every reference to a secret replaced by the secret's text. Without references nothing is asked.
 * @throws Error that names the variable and the secret when one cannot be read.
 */
export async function withSecrets(environment: NodeJS.ProcessEnv): Promise<NodeJS.ProcessEnv> {
  const references = Object.entries(environment).flatMap(([name, value]) => {
    const id = REFERENCE.exec(value ?? '')?.[1];
    return id === undefined ? [] : [{ name, id }];
  });
  if (references.length === 0) return environment;
  // Only here: where nothing is referred to, as on one machine, its client need not be loaded.
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  // Functions in the VPC have no IPv4 way out, and the service's dual-stack names answer on IPv6.
  const client = new SecretsManagerClient({
    useDualstackEndpoint: true,
    requestHandler: { connectionTimeout: TIMEOUT, requestTimeout: TIMEOUT, throwOnRequestTimeout: true },
  });
  const read = async ({ name, id }: { name: string; id: string }): Promise<[string, string]> => {
    try {
      const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: id }));
      if (SecretString === undefined) throw new Error('it holds no text');
      return [name, SecretString];
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`${name}: the secret ${id} could not be read: ${why}`, { cause: error });
    }
  };
  try {
    return { ...environment, ...Object.fromEntries(await Promise.all(references.map(read))) };
  } finally {
    client.destroy();
  }
}
