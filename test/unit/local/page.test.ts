import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startPage } from '#local/page/server.ts';

let page: Awaited<ReturnType<typeof startPage>>;
beforeAll(async () => {
  page = await startPage({ port: 0, apis: [], publishToken: 'token', apiSecret: 'secret' });
});
afterAll(() => page.close());

const get = async (path: string) => {
  const { status, headers } = await fetch(`${page.url}${path}`);
  return `${status} ${headers.get('content-type')}`;
};

test('serves every module of the client, and nothing else that lies there', async () => {
  const folder = await readdir(new URL('../../../client/', import.meta.url));
  const modules = folder.filter((name) => name.endsWith('.js'));
  expect(modules).toContain('index.js');
  const answers = await Promise.all(modules.map((name) => get(`/client/${name}`)));
  expect(answers).toEqual(modules.map(() => '200 text/javascript; charset=utf-8'));
  expect(await get('/client/package.json')).toMatch(/^404/);
  expect(await get('/client/tsconfig.json')).toMatch(/^404/);
});
