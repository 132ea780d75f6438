// Each function's role allows the calls that its code makes, and no others: the calls are those of the real handlers,
// noted on their way to the database.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { log } from '#functions/log.ts';
import { RegionHealth } from '#functions/region-health/region-health.ts';
import type { FunctionName } from '#functions/routes.ts';
import { CONTROL_TABLE, nodesTable } from '#local/database.ts';
import { type DatabaseCall, type DatabaseFront, openDatabaseFront } from '#local/database-front.ts';
import { DynamoControlStore } from '#routing/control-store.ts';
import { dynamoDocuments } from '#routing/dynamo.ts';
import { DynamoNodeRegistry } from '#routing/dynamo-node-registry.ts';
import { SMALL_REGION } from '#routing/node-list-store.ts';
import { DynamoStandingStore } from '#routing/standing-store.ts';
import { call, type Handler } from '#test/unit/functions/events.ts';
import { REGION, startRegion, type TestRegion } from '#test/unit/functions/region.ts';
import { nodeRecord, originClaim } from '#test/unit/routing/samples.ts';
import { allowedKeys, databaseActions, otherActions, templates } from './stacks.ts';

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
  // The region is large, and the functions know: they look for its list first. These nodes have no room.
  const limits = { publishers: 0, viewers: 0, cpu: 0.85 };
  const nodeIds = Array.from({ length: SMALL_REGION }, (_, index) => `i-full-${index}`);
  await Promise.all(
    nodeIds.map((nodeId) =>
      region.registry.beat(nodeRecord({ nodeId, limits, region: REGION, heartbeatAt: Date.now() })),
    ),
  );
  await send('healthz', 'GET', '/healthz', {});
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
      .token({ region: REGION, ticket: randomUUID() })
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
        notice: { v: 1, stream: 'concert', claim: originClaim({ epoch: 2 }) },
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

it('of the control table, whip may write spent tickets only', () => {
  expect(allowedKeys(regions[1], 'Functionwhip', CONTROL_TABLE)).toEqual(['TICKET#*']);
});

it('region-health may do what it does, and nothing else', async () => {
  const documents = dynamoDocuments({ region: REGION, timeout: 1_000, endpoint: front.endpoint });
  const before = front.calls.length;
  await new RegionHealth({
    region: REGION,
    regions: [REGION],
    nodes: new DynamoNodeRegistry(documents, nodesTable(REGION)),
    control: new DynamoControlStore(documents, CONTROL_TABLE),
    standings: new DynamoStandingStore(documents, CONTROL_TABLE),
    dns: { setOut: async () => undefined },
    deadAfter: 60_000,
    interval: 60_000,
  }).check();
  documents.destroy();
  const made = front.calls.slice(before).map(actionOf);
  const allowed = databaseActions(regions[1], 'HealthFunctionregionhealth');
  expect([...new Set(made)].toSorted()).toEqual(allowed.toSorted());
});

const LOGS = ['logs:CreateLogStream', 'logs:PutLogEvents'];
/** As AWS's own policy AWSLambdaVPCAccessExecutionRole has them. */
const NETWORK = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];
const KEYS = 'secretsmanager:GetSecretValue';

it.each<[string, string[]]>([
  ['Functionwhip', [...NETWORK, ...LOGS, KEYS]],
  ['Functionwhep', [...NETWORK, ...LOGS, KEYS]],
  ['Functioncascade', [...NETWORK, ...LOGS, KEYS]],
  ['Functionapi', [...NETWORK, ...LOGS, KEYS]],
  ['Functionclusternodes', [...LOGS, KEYS]],
  ['Functionhealthz', [...LOGS, KEYS]],
  // functions/region-health/geo-dns.ts
  ['HealthFunctionregionhealth', [...LOGS, 'route53:GetHealthCheck', 'route53:UpdateHealthCheck']],
  // media-fleet: the end of a wait (lifecycle.ts), another region's /cascade, the cluster key; its calls to tables are
  // compared in test/integration/database-calls.test.ts.
  ['NodeRole', ['autoscaling:CompleteLifecycleAction', 'execute-api:Invoke', KEYS]],
])('besides tables, %s may do no more than this', (role, actions) => {
  expect(otherActions(regions[1], role)).toEqual(actions);
});
