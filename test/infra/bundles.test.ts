// The functions as they are deployed: small, quick to load, and good for API Gateway's events, base64 bodies included.

import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as z from 'zod';
import { BUNDLES, type BundleName, buildBundles, bundlePath } from '#infra/bundles.ts';
import { type Database, nodesTable, startDatabase } from '#local/database.ts';
import { httpEvent } from '#test/unit/functions/events.ts';

const run = promisify(execFile);
const REGION = 'eu-west-1';
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
let database: Database;
let environment: Record<string, string>;

beforeAll(async () => {
  buildBundles();
  database = await startDatabase({ regions: [REGION], credentials });
  const key = Buffer.alloc(32, 7).toString('base64');
  environment = {
    PATH: process.env.PATH ?? '',
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_REGION: REGION,
    MERIDIAN_REGION: REGION,
    MERIDIAN_REGIONS: JSON.stringify([{ id: REGION, api: 'https://eu-west-1.example.org' }]),
    MERIDIAN_STREAMS_TABLE: 'meridian-streams',
    MERIDIAN_NODES_TABLE: nodesTable(REGION),
    MERIDIAN_CONTROL_TABLE: 'meridian-control',
    MERIDIAN_DYNAMODB_ENDPOINT: database.endpoint,
    MERIDIAN_HEALTH_CHECK_ID: 'check-1',
    MERIDIAN_CLUSTER_KEY: key,
    MERIDIAN_TOKEN_KEY: key,
    MERIDIAN_SESSION_KEY: key,
  };
});
afterAll(() => database.close());

const said = z.object({
  milliseconds: z.number(),
  answer: z.object({ statusCode: z.number(), body: z.string() }).optional(),
});

/** Loads a bundle in a process of its own, as Lambda does, and gives it an event where there is one. */
async function load(name: BundleName, event?: unknown): Promise<z.infer<typeof said>> {
  const script = `
    const before = performance.now();
    const { handler } = await import(${JSON.stringify(`${bundlePath(name)}/index.mjs`)});
    const milliseconds = performance.now() - before;
    const event = ${JSON.stringify(event ?? null)};
    const answer = event === null ? undefined : await handler(event, { getRemainingTimeInMillis: () => 5000 });
    console.log(JSON.stringify({ milliseconds, answer }));
    process.exit();`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], {
    env: environment,
  });
  return said.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''));
}

/** What is loaded before the first event: `index.mjs` and all that it imports, directly or not, but not on demand. */
function loadedAtOnce(name: BundleName): number {
  const directory = bundlePath(name);
  const seen = new Set<string>();
  const take = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(`${directory}/${file}`, 'utf8');
    for (const [, imported] of text.matchAll(/(?:from|import)\s*"\.\/([\w.-]+)"/g))
      if (imported) take(imported);
  };
  take('index.mjs');
  return [...seen].reduce((sum, file) => sum + statSync(`${directory}/${file}`).size, 0);
}

it.each(BUNDLES)(
  '%s: 400 kB at most are loaded at once, and its source says nothing of this machine',
  async (name) => {
    const bytes = loadedAtOnce(name);
    const { milliseconds } = await load(name);
    process.stdout.write(
      `${name}: ${Math.round(bytes / 1_000)} kB, loaded in ${Math.round(milliseconds)} ms\n`,
    );
    expect(bytes).toBeLessThanOrEqual(400_000);
    for (const file of readdirSync(bundlePath(name))) {
      expect(readFileSync(`${bundlePath(name)}/${file}`, 'utf8')).not.toContain(process.cwd());
    }
  },
);

it('a wrong configuration fails the load, and names what is wrong', async () => {
  const { MERIDIAN_TOKEN_KEY, ...rest } = environment;
  environment = rest;
  await expect(load('whep')).rejects.toThrow('MERIDIAN_TOKEN_KEY');
  environment = { ...rest, MERIDIAN_TOKEN_KEY: MERIDIAN_TOKEN_KEY ?? '' };
});

it('healthz answers an event', async () => {
  const { answer } = await load('healthz', httpEvent({ method: 'GET', path: '/healthz' }));
  expect(answer).toMatchObject({ statusCode: 503, body: expect.stringContaining('"unhealthy"') });
});

it('an SDP body comes in base64, and is read', async () => {
  const body = Buffer.from('v=0\r\ns=-\r\n').toString('base64');
  const headers = { 'content-type': 'application/sdp' };
  const event = httpEvent({ method: 'POST', path: '/whep/nobody', headers, body, base64: true });
  const { answer } = await load('whep', event);
  expect(answer).toMatchObject({ statusCode: 409, body: expect.stringContaining('stream-not-live') });
});
