// Each function's role allows the calls that its code makes, and no others: the calls are those of the real handlers,
// noted on their way to the database.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { log } from '#functions/log.ts';
import type { FunctionName } from '#functions/routes.ts';
import { type DatabaseCall, type DatabaseFront, openDatabaseFront } from '#local/database-front.ts';
import { call, type Handler } from '#test/unit/functions/events.ts';
import { REGION, startRegion, type TestRegion } from '#test/unit/functions/region.ts';
import { nodeRecord, originClaim } from '#test/unit/routing/samples.ts';
import { databaseActions, templates } from './stacks.ts';

let front: DatabaseFront;
let region: TestRegion;
const handlers = new Map<FunctionName, Handler>();

beforeAll(async () => {
  vi.spyOn(log, 'warn').mockImplementation(() => undefined);
  region = await startRegion();
  // The handlers read it when they are imported, below.
  front = await openDatabaseFront(process.env.MERIDIAN_DYNAMODB_ENDPOINT ?? '');
  process.env.MERIDIAN_DYNAMODB_ENDPOINT = front.endpoint;
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

afterAll(() => front.close());

const { regions } = templates();

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

const actionOf = ({ operation, table }: DatabaseCall) =>
  `dynamodb:${operation} ${table.replace(`-${REGION}`, '')}`;

const names: FunctionName[] = ['whip', 'whep', 'cascade', 'api', 'cluster-nodes', 'healthz'];
it.each(names)('%s may do what it does, and nothing else', async (name) => {
  ownSecret = randomUUID();
  await region.control.addSecret(ownSecret, { account: 'test', label: name });
  const before = front.calls.length;
  for (const asked of requests[name]()) await asked;
  const made = front.calls.slice(before).map(actionOf);
  const allowed = databaseActions(regions[1], `Function${name.replaceAll('-', '')}`);
  expect([...new Set(made)].toSorted()).toEqual(allowed.toSorted());
});
