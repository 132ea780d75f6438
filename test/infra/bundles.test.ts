// The functions as they are deployed: small, quick to load, and loud about a wrong configuration.

import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import * as z from 'zod';
import { BUNDLES, type BundleName, buildBundles, bundlePath } from '#infra/bundles.ts';
import { type FunctionSurroundings, startSurroundings } from './surroundings.ts';

const run = promisify(execFile);
let surroundings: FunctionSurroundings;

beforeAll(async () => {
  buildBundles();
  surroundings = await startSurroundings();
});
afterAll(() => surroundings.close());

const said = z.object({ milliseconds: z.number() });

/** Bytes: a tenth of them is ours, half the AWS SDK, a quarter zod; what more costs at a start is told below. */
const LARGEST = 420_000;

/** Loads a bundle in a process of its own, as Lambda does. */
async function load(name: BundleName, env = surroundings.environment): Promise<z.infer<typeof said>> {
  const script = `
    const before = performance.now();
    const { handler } = await import(${JSON.stringify(`${bundlePath(name)}/index.mjs`)});
    const milliseconds = performance.now() - before;
    console.log(JSON.stringify({ milliseconds, handler: typeof handler }));
    process.exit();`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], {
    env,
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
  '%s: 420 kB at most are loaded at once, and its source says nothing of this machine',
  async (name) => {
    const bytes = loadedAtOnce(name);
    const { milliseconds } = await load(name);
    process.stdout.write(
      `${name}: ${Math.round(bytes / 1_000)} kB, loaded in ${Math.round(milliseconds)} ms\n`,
    );
    expect(bytes).toBeLessThanOrEqual(LARGEST);
    for (const file of readdirSync(bundlePath(name))) {
      expect(readFileSync(`${bundlePath(name)}/${file}`, 'utf8')).not.toContain(process.cwd());
    }
  },
);

it('a wrong configuration fails the load, and names what is wrong', async () => {
  const env = { ...surroundings.environment, MERIDIAN_TOKEN_KEY: '' };
  await expect(load('whep', env)).rejects.toThrow('MERIDIAN_TOKEN_KEY');
});
