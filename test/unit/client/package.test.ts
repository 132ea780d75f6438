// The client as it is published: its files, and that Node can import them.

import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import * as z from 'zod';

const run = promisify(execFile);
const DIRECTORY = fileURLToPath(new URL('../../../client/', import.meta.url));

const packed = z.array(z.object({ files: z.array(z.object({ path: z.string() })) })).length(1);

test('npm packs the modules with their types, the licence and what to read, and nothing else', async () => {
  // npm's own words aside: the types are made first.
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--silent'], { cwd: DIRECTORY });
  const [{ files } = { files: [] }] = packed.parse(JSON.parse(stdout.slice(stdout.indexOf('['))));
  const modules = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.js'));
  const types = modules.map((name) => `types/${name.replace(/\.js$/, '.d.ts')}`);
  expect(files.map(({ path }) => path).toSorted()).toEqual(
    [...modules, ...types, 'LICENSE', 'README.md', 'package.json'].toSorted(),
  );
});

test('imports where there is no browser, as a server that renders pages does', async () => {
  const { stdout } = await run(process.execPath, [
    '--input-type=module',
    '--eval',
    `import { WhepPlayer } from ${JSON.stringify(new URL('../../../client/index.js', import.meta.url).href)};
     console.log(new WhepPlayer({ url: 'https://media.example/whep/x' }).state.name);`,
  ]);
  expect(stdout.trim()).toBe('idle');
});
