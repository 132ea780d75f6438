// What DynamoDB's failures are to a caller: an outage passes and is a 503, a mistake of ours stays what it is.

import { ResourceNotFoundException } from '@aws-sdk/client-dynamodb';
import { GetCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { type Database, startDatabase } from '#local/database.ts';
import { dynamoDocuments } from '#routing/dynamo.ts';
import { Problem } from '#routing/problem.ts';
import { startServer } from './http-server.ts';

const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
let database: Database;
beforeAll(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', credentials.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', credentials.secretAccessKey);
  database = await startDatabase({ regions: ['eu-west-1'], credentials });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await database.close();
});

function get(endpoint: string, options: { signal?: AbortSignal } = {}) {
  const documents = dynamoDocuments({ region: 'eu-west-1', timeout: 200, endpoint });
  onTestFinished(() => documents.destroy());
  const command = new GetCommand({ TableName: 'no-such-table', Key: { pk: 'x' } });
  return documents.send(command, options.signal ? { abortSignal: options.signal } : {});
}

const outage = {
  status: 503,
  code: 'registry-unavailable',
  headers: { 'Retry-After': '2' },
  cause: expect.any(Error),
};

it('a refused connection is a 503', async () => {
  const gone = await startServer(() => undefined);
  await gone.close();
  await expect(get(gone.url)).rejects.toMatchObject(outage);
});

it('an answer that does not come in time is a 503', async () => {
  const silent = await startServer(() => undefined);
  await expect(get(silent.url)).rejects.toMatchObject(outage);
  await silent.close();
});

it.each([
  [500, 'InternalServerError'],
  [503, 'ServiceUnavailable'],
  [400, 'ThrottlingException'],
])('a %i %s is a 503', async (status, name) => {
  const failing = await startServer((_, response) => {
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: 'not now' }));
  });
  await expect(get(failing.url)).rejects.toMatchObject(outage);
  await failing.close();
});

it('a mistake of ours stays what it is', async () => {
  await expect(get(database.endpoint)).rejects.toBeInstanceOf(ResourceNotFoundException);
});

it('what the caller gave up is no outage', async () => {
  const given = get(database.endpoint, { signal: AbortSignal.abort() });
  await expect(given).rejects.toMatchObject({ name: 'AbortError' });
  await expect(given).rejects.not.toBeInstanceOf(Problem);
});
