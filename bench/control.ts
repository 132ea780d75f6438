// What the functions cost: time in a warm one, calls to DynamoDB by operation, and what a cold one must load.

import { readdir, stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { API_ROUTES, type FunctionName } from '#functions/routes.ts';
import { buildBundles, bundlePath } from '#infra/bundles.ts';
import { startDatabase } from '#local/database.ts';
import { type DatabaseFront, openDatabaseFront } from '#local/database-front.ts';
import { startWorld, type World } from '#local/world.ts';
import { Publisher, type Viewer } from '#test/media/libwebrtc.ts';
import type { Answered, Sent } from '#test/unit/functions/events.ts';
import { offerText } from '#test/unit/media-fleet/sdp/offers.ts';
import { ExecutionEnvironment } from './execution-environment.ts';
import { firstViewer } from './first-viewer.ts';
import type { BenchResult } from './result.ts';
import { median, summary } from './statistics.ts';

const REGIONS = ['us-east-1', 'eu-west-1'];
const WARM_UP = 20;
const CALLS = 200;
const COLD_STARTS = 5;

type Row = BenchResult['rows'][number];

export async function run(): Promise<BenchResult> {
  buildBundles();
  const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench' };
  const database = await startDatabase({ regions: REGIONS, credentials });
  // The functions' own way to the database: the nodes' calls are not theirs.
  const front = await openDatabaseFront(database.endpoint);
  const world = await startWorld({
    regions: REGIONS,
    ports: { page: 0, api: 0, global: 0, dns: 0 },
    restart: false,
    env: {},
    database: () => database,
  });
  const environments: ExecutionEnvironment[] = [];
  const start = async (name: FunctionName, changes: Record<string, string> = {}) => {
    const environment = await ExecutionEnvironment.start(moduleOf(name), {
      ...world.functionEnvironment('us-east-1'),
      MERIDIAN_DYNAMODB_ENDPOINT: front.endpoint,
      ...changes,
    });
    environments.push(environment);
    return environment;
  };
  try {
    const warm = await warmRows(world, front, start);
    const cold: Row[] = [];
    for (const name of new Set(API_ROUTES.map((route) => route.function)))
      cold.push(await coldRow(name, start));
    return {
      rows: [...warm, ...cold],
      notes: [
        'Warm: inside the function’s bundle, with its calls to nodes and to the database (dynalite), all on this machine; without API Gateway.',
        'Cold: a new thread imports the bundle; the start of Lambda’s own runtime is not in it.',
      ],
    };
  } finally {
    await Promise.all(environments.map((environment) => environment.close()));
    await world.close();
    front.close();
    await database.close();
  }
}

type Start = (name: FunctionName, changes?: Record<string, string>) => Promise<ExecutionEnvironment>;

async function warmRows(world: World, front: DatabaseFront, start: Start): Promise<Row[]> {
  const api = world.regions[0]?.api ?? '';
  const publisher = await Publisher.start({ url: `${api}/whip/bench`, token: world.publishToken });
  let keeper: Viewer | undefined;
  try {
    keeper = await firstViewer(`${api}/whep/bench`);
    const token = { authorization: `Bearer ${world.publishToken}` };
    const secret = { authorization: `Bearer ${world.apiSecret}` };
    const publish = { path: '/whip/other', offer: offerText('chromium-publisher'), headers: token };
    const play = { path: '/whep/bench', offer: offerText('chromium-viewer'), headers: {} };
    const whep = await start('whep');
    const forgetful = await start('whep', { MERIDIAN_ROUTE_CACHE_MS: '0' });
    const control = await start('api');
    const get = (path: string): Sent => ({ method: 'GET', path, headers: secret });
    return [
      ...(await sessionRows('publish', front, await start('whip'), publish)),
      ...(await sessionRows('play', front, whep, play)),
      ...(await sessionRows('play, nothing remembered', front, forgetful, play)),
      await row('list streams', front, control, get('/api/streams')),
      await row('a stream’s tree, of two regions', front, control, get('/api/streams/bench')),
      await row('list nodes', front, await start('cluster-nodes'), get('/rest/v2/cluster-nodes')),
      await row('health', front, await start('healthz'), get('/healthz')),
    ];
  } finally {
    await keeper?.stop();
    await publisher.stop();
  }
}

/** What one kind of request took, and which calls to the database it made. */
class Tally {
  readonly #what: string;
  readonly #front: DatabaseFront;
  readonly #times: number[] = [];
  readonly #calls = new Map<string, number>();

  constructor(what: string, front: DatabaseFront) {
    this.#what = what;
    this.#front = front;
  }

  /** @throws Error when the function does not answer as it should: a refusal's time is nobody's figure. */
  async call(environment: ExecutionEnvironment, request: Sent, counts: boolean): Promise<Answered> {
    const before = this.#front.calls.length;
    const { answer, ms } = await environment.call(request);
    if (answer.status >= 300) throw new Error(`${this.#what}: ${answer.status} ${answer.body}`);
    if (!counts) return answer;
    this.#times.push(ms);
    for (const { operation } of this.#front.calls.slice(before))
      this.#calls.set(operation, (this.#calls.get(operation) ?? 0) + 1);
    return answer;
  }

  get row(): Row {
    const each = [...this.#calls].map(
      ([operation, count]) => `${(count / this.#times.length).toFixed(2)} ${operation}`,
    );
    return { ...summary(this.#what, this.#times), 'DynamoDB calls each': each.join(', ') || 'none' };
  }
}

/** A POST, a PATCH with a candidate and a DELETE, again and again. */
async function sessionRows(
  what: string,
  front: DatabaseFront,
  environment: ExecutionEnvironment,
  { path, offer, headers }: { path: string; offer: string; headers: Record<string, string> },
): Promise<Row[]> {
  const posts = new Tally(`${what}: POST`, front);
  const patches = new Tally(`${what}: PATCH`, front);
  const deletes = new Tally(`${what}: DELETE`, front);
  const [ufrag] = /^a=ice-ufrag:.+$/m.exec(offer) ?? [];
  const [pwd] = /^a=ice-pwd:.+$/m.exec(offer) ?? [];
  const fragment = [
    ufrag?.trim(),
    pwd?.trim(),
    'm=audio 9 UDP/TLS/RTP/SAVPF 0',
    'a=mid:0',
    CANDIDATE,
    '',
  ].join('\r\n');
  for (let count = -WARM_UP; count < CALLS; count += 1) {
    const counts = count >= 0;
    const sdp = { ...headers, 'content-type': 'application/sdp' };
    const posted = await posts.call(environment, { method: 'POST', path, headers: sdp, body: offer }, counts);
    const session = new URL(String(posted.headers.location)).pathname;
    const trickle = {
      ...headers,
      'content-type': 'application/trickle-ice-sdpfrag',
      'if-match': String(posted.headers.etag),
    };
    await patches.call(
      environment,
      { method: 'PATCH', path: session, headers: trickle, body: fragment },
      counts,
    );
    await deletes.call(environment, { method: 'DELETE', path: session, headers }, counts);
  }
  return [posts.row, patches.row, deletes.row];
}

const CANDIDATE = 'a=candidate:1 1 UDP 2130706431 192.0.2.1 50000 typ host';

async function row(
  what: string,
  front: DatabaseFront,
  environment: ExecutionEnvironment,
  request: Sent,
): Promise<Row> {
  const tally = new Tally(what, front);
  for (let count = -WARM_UP; count < CALLS; count += 1) await tally.call(environment, request, count >= 0);
  return tally.row;
}

async function coldRow(name: FunctionName, start: Start): Promise<Row> {
  const times: number[] = [];
  for (let count = 0; count < COLD_STARTS; count += 1) {
    const environment = await start(name);
    times.push(environment.importMs);
    await environment.close();
  }
  return {
    what: `${name}: cold`,
    n: COLD_STARTS,
    'p50 ms': Number(median(times).toFixed(1)),
    'max ms': Number(Math.max(...times).toFixed(1)),
    'bundle kB': Math.round((await bundleBytes(name)) / 1_000),
  };
}

async function bundleBytes(name: FunctionName): Promise<number> {
  const folder = bundlePath(name);
  const sizes = await Promise.all(
    (await readdir(folder)).map(async (file) => (await stat(`${folder}/${file}`)).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

const moduleOf = (name: FunctionName): URL => pathToFileURL(`${bundlePath(name)}/index.mjs`);
