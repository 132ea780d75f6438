// The built functions under AWS's own runtime client, as Lambda runs them: it loads the bundle, gives it events, takes its answers.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as z from 'zod';
import { type BundleName, buildBundles, bundlePath } from '#infra/bundles.ts';
import { listen } from '#local/listen.ts';
import { httpEvent } from '#test/unit/functions/events.ts';
import { LAMBDA_RUNTIME } from '../../scripts/setup/lambda-runtime.mjs';
import { type FunctionSurroundings, startSurroundings } from './surroundings.ts';

let surroundings: FunctionSurroundings;
beforeAll(async () => {
  buildBundles();
  surroundings = await startSurroundings();
});
afterAll(() => surroundings.close());

const answered = z.object({
  statusCode: z.number(),
  headers: z.record(z.string(), z.unknown()),
  body: z.string().default(''),
});

/** One event through the runtime's API (AWS Lambda developer guide, "Using the Lambda runtime API"). */
async function invoke(name: BundleName, event: unknown): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  let given = false;
  const api = createServer(async (request, response) => {
    if (request.url?.endsWith('/runtime/invocation/next')) {
      // The second look waits, as it does on Lambda.
      if (given) return;
      given = true;
      response.writeHead(200, {
        'content-type': 'application/json',
        'lambda-runtime-aws-request-id': randomUUID(),
        'lambda-runtime-deadline-ms': String(Date.now() + 10_000),
        'lambda-runtime-invoked-function-arn': `arn:aws:lambda:eu-west-1:123456789012:function:meridian-${name}`,
      });
      response.end(JSON.stringify(event));
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    response.writeHead(202).end('{"status":"OK"}');
    const text = Buffer.concat(chunks).toString();
    if (request.url?.endsWith('/response')) resolve(JSON.parse(text));
    else reject(new Error(`${request.url}: ${text}`));
  });
  const port = await listen(api, { host: '127.0.0.1', port: 0, what: 'the runtime API', option: '' });
  const runtime = spawn(process.execPath, [LAMBDA_RUNTIME], {
    env: {
      ...surroundings.environment,
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
      LAMBDA_TASK_ROOT: bundlePath(name),
      _HANDLER: 'index.handler',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_LAMBDA_FUNCTION_NAME: `meridian-${name}`,
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '1024',
      AWS_LAMBDA_LOG_GROUP_NAME: `/meridian/functions/${name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: 'test',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  runtime.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const exited = once(runtime, 'exit');
  exited.then(([code]) => reject(new Error(`the runtime ended with ${code}: ${errors}`)));
  try {
    return await promise;
  } finally {
    runtime.kill('SIGKILL');
    await exited;
    api.close();
    api.closeAllConnections();
  }
}

const sdp = { 'content-type': 'application/sdp' };
const offer = { body: Buffer.from('v=0\r\ns=-\r\n').toString('base64'), base64: true };

it.each<[BundleName, number, string, Parameters<typeof httpEvent>[0]]>([
  [
    'whip',
    401,
    'a publish token is needed',
    { method: 'POST', path: '/whip/concert', headers: sdp, ...offer },
  ],
  [
    'whep',
    409,
    'nobody is publishing concert',
    { method: 'POST', path: '/whep/concert', headers: sdp, ...offer },
  ],
  ['whep', 200, '', { method: 'OPTIONS', path: '/whep/concert' }],
  [
    'cascade',
    400,
    'cascade: ask',
    { method: 'POST', path: '/cascade/concert', headers: { 'content-type': 'application/json' }, body: '{}' },
  ],
  ['api', 401, 'Unauthorized', { method: 'GET', path: '/api/streams' }],
  ['cluster-nodes', 401, 'Unauthorized', { method: 'GET', path: '/rest/v2/cluster-nodes/count' }],
  ['healthz', 503, '"unhealthy"', { method: 'GET', path: '/healthz' }],
])('%s answers %i %s', async (name, status, said, sent) => {
  const answer = answered.parse(await invoke(name, httpEvent(sent)));
  expect(answer).toMatchObject({ statusCode: status, body: expect.stringContaining(said) });
  expect(answer.headers['Access-Control-Allow-Origin']).toBe('*');
});

it('region-health takes its schedule’s event, writes the standing, and asks Route 53 for the check', async () => {
  expect(
    await invoke('region-health', { source: 'aws.events', 'detail-type': 'Scheduled Event' }),
  ).toMatchObject({
    region: 'eu-west-1',
    out: false,
    streak: 1,
  });
  expect(surroundings.route53).toEqual(['GET /2013-04-01/healthcheck/check-1']);
});
