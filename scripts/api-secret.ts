// `npm run api-secret -- --region eu-west-1 --label ops`: makes an API secret, stores its hash, and prints it once.

import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { CONTROL_TABLE } from '#infra/names.ts';
import { DynamoControlStore } from '#routing/control-store.ts';
import { dynamoDocuments } from '#routing/dynamo.ts';

/** As many bits as the local world's (docs/security.md). */
const SECRET_BYTES = 24;
/** Milliseconds for one request. */
const TIMEOUT = 5_000;

const USAGE = 'usage: npm run api-secret -- --region REGION --label LABEL [--account NAME]';

function options(): { region: string; label: string; account: string } {
  try {
    const { values } = parseArgs({
      options: {
        region: { type: 'string' },
        label: { type: 'string' },
        account: { type: 'string', default: 'main' },
        help: { type: 'boolean', default: false },
      },
    });
    const { region, label, account, help } = values;
    if (help) {
      process.stdout.write(`${USAGE}\n`);
      process.exit();
    }
    if (region === undefined || label === undefined) throw new Error('--region and --label are needed');
    return { region, label, account };
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    process.exit(1);
  }
}

const { region, label, account } = options();
const documents = dynamoDocuments({
  region,
  timeout: TIMEOUT,
  endpoint: process.env.MERIDIAN_DYNAMODB_ENDPOINT,
});
try {
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  await new DynamoControlStore(documents, CONTROL_TABLE).addSecret(secret, { account, label });
  process.stdout.write(`${secret}\n`);
} catch (error) {
  process.stderr.write(
    `the secret was not stored: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = 1;
} finally {
  documents.destroy();
}
