// Each function's role allows the calls that its code makes, and no others: the calls are those of the real handlers,
// noted on their way to the database.

import { randomUUID } from 'node:crypto';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, expect, it, vi } from 'vitest';
import { log } from '#functions/log.ts';
import type { FunctionName } from '#functions/routes.ts';
import { call, type Handler } from '#test/unit/functions/events.ts';
import { REGION, startRegion, type TestRegion } from '#test/unit/functions/region.ts';
import { nodeRecord, originClaim } from '#test/unit/routing/samples.ts';
import { templates } from './stacks.ts';

/** What went to the database since it was last looked at, as IAM names it and on which table. */
let noted: Set<string>;
let region: TestRegion;
const handlers = new Map<FunctionName, Handler>();

/** A database whose calls are noted. */
async function noting(endpoint: string): Promise<string> {
  const target = new URL(endpoint);
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const body = Buffer.concat(chunks);
      const operation = String(incoming.headers['x-amz-target']).split('.').at(-1);
      const { TableName }: { TableName?: string } = JSON.parse(body.toString());
      noted.add(`dynamodb:${operation} ${TableName?.replace(`-${REGION}`, '')}`);
      const { headers, method } = incoming;
      request({ host: target.hostname, port: target.port, method, headers, path: '/' }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      }).end(body);
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  server.unref();
  const address: AddressInfo | string | null = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

beforeAll(async () => {
  noted = new Set();
  vi.spyOn(log, 'warn').mockImplementation(() => undefined);
  region = await startRegion();
  // The handlers read it when they are imported, below.
  process.env.MERIDIAN_DYNAMODB_ENDPOINT = await noting(process.env.MERIDIAN_DYNAMODB_ENDPOINT ?? '');
  handlers.set('whip', (await import('#functions/whip/handler.ts')).handler);
  handlers.set('whep', (await import('#functions/whep/handler.ts')).handler);
  handlers.set('cascade', (await import('#functions/cascade/handler.ts')).handler);
  handlers.set('api', (await import('#functions/api/handler.ts')).handler);
  handlers.set('cluster-nodes', (await import('#functions/cluster-nodes/handler.ts')).handler);
  handlers.set('healthz', (await import('#functions/healthz/handler.ts')).handler);
  // One that refuses: what is asked of the database comes before.
  await region.registry.beat(nodeRecord({ region: REGION, heartbeatAt: Date.now(), control: '127.0.0.1:9' }));
  await region.streamMap.claimOrigin(originClaim({ region: REGION }), undefined);
});

const { regions } = templates();

/** `dynamodb:Query meridian-streams` for all that the function's role allows. */
function allowed(name: string): Set<string> {
  const [, template] = regions;
  const policies = Object.values(template?.findResources('AWS::IAM::Policy') ?? {});
  const own = policies.filter(({ Properties }) =>
    JSON.stringify(Properties.Roles).includes(`Function${name.replaceAll('-', '')}`),
  );
  const statements: { Action: string | string[]; Resource: unknown; Effect: string }[] = own.flatMap(
    ({ Properties }) => Properties.PolicyDocument.Statement,
  );
  return new Set(
    statements
      .filter(
        ({ Effect, Action }) =>
          Effect === 'Allow' && [Action].flat().some((action) => action.startsWith('dynamodb:')),
      )
      .flatMap(({ Action, Resource }) => {
        const text = JSON.stringify(Resource);
        const table =
          /table\/(meridian-[a-z]+)/.exec(text)?.[1] ??
          (text.includes('NodesTable') ? 'meridian-nodes' : text);
        return [Action].flat().map((action) => `${action} ${table}`);
      }),
  );
}

const sdp = { 'Content-Type': 'application/sdp' };
/** One that no function has remembered. */
let ownSecret = '';
const secret = () => ({ Authorization: `Bearer ${ownSecret}` });

/** Every route that leads to the database. */
const requests: Record<FunctionName, () => Promise<unknown>[]> = {
  whip: () => [
    region
      .token()
      .then((token) =>
        send('whip', 'POST', '/whip/concert', { ...sdp, Authorization: `Bearer ${token}` }, 'v=0\r\ns=-\r\n'),
      ),
  ],
  whep: () => [send('whep', 'POST', '/whep/concert', sdp, 'v=0\r\ns=-\r\n')],
  cascade: () => [
    send(
      'cascade',
      'POST',
      '/cascade/concert',
      { 'Content-Type': 'application/json' },
      JSON.stringify({
        ask: 'notice',
        notice: { v: 1, stream: 'concert', type: 'superseded', epoch: 2 },
      }),
    ),
  ],
  api: () => [
    send('api', 'GET', '/api/streams', secret()),
    send('api', 'GET', '/api/streams/concert?region=self', secret()),
    send('api', 'GET', '/api/streams/concert', secret()),
    send('api', 'PUT', '/api/evacuations/us-east-1', secret()),
    send('api', 'DELETE', '/api/evacuations/us-east-1', secret()),
  ],
  'cluster-nodes': () => [send('cluster-nodes', 'GET', '/rest/v2/cluster-nodes?region=self', secret())],
  healthz: () => [send('healthz', 'GET', '/healthz', {})],
};

function send(
  name: FunctionName,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
) {
  const handler = handlers.get(name);
  if (handler === undefined) throw new Error(`no handler ${name}`);
  return call(handler, { method, path, headers, ...(body === undefined ? {} : { body }) });
}

const names: FunctionName[] = ['whip', 'whep', 'cascade', 'api', 'cluster-nodes', 'healthz'];
it.each(names)('%s may do what it does, and nothing else', async (name) => {
  ownSecret = randomUUID();
  await region.control.addSecret(ownSecret, { account: 'test', label: name });
  noted.clear();
  for (const asked of requests[name]()) await asked;
  expect([...noted].toSorted()).toEqual([...allowed(name)].toSorted());
});
