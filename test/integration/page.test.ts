// The local page as a newcomer uses it: publish the test picture, watch it in another region, see the cascade.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Browser, startChromium } from '#test/media/chromium.ts';
import { eventually, newStream, regions, tree, world } from './support.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await startChromium();
});
afterAll(() => browser.close());

test('publishes a moving picture without a camera, shows it in another region, and draws the leg', async () => {
  const page = await browser.open(world.page);
  const errors: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  const stream = newStream('page');
  await page.getByLabel('Stream name').first().fill(stream);
  await page.getByRole('button', { name: 'Publish' }).click();
  await page.getByText(`Live in ${regions.us.id} as ${stream}`).waitFor();
  await page.getByLabel('Stream name').last().fill(stream);
  await page.getByRole('button', { name: `Watch in ${regions.eu.id}` }).click();
  await page.getByText('Playing.').waitFor();
  await page.getByText('1 crossing leg').waitFor();
  await page.getByText('secondary origin', { exact: true }).waitFor();

  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Not publishing.').waitFor();
  await page.getByText('Its publisher is gone: waiting').waitFor();
  await eventually(
    () => tree(stream),
    (state) => state?.origin == null,
  );
  // Leaving the page ends what it had open: nothing is left for a time-out to find.
  await page.close();
  expect(errors).toEqual([]);
});

test('a request target that is no URL is a 400, and the page lives on', async () => {
  const { hostname, port } = new URL(world.page);
  const { request } = await import('node:http');
  const status = await new Promise<number | undefined>((resolve, reject) => {
    request({ host: hostname, port, path: '//' }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .once('error', reject)
      .end();
  });
  expect(status).toBe(400);
  expect((await fetch(world.page)).status).toBe(200);
});

test('answers only to names of this machine, for it hands out the API secret', async () => {
  const { hostname, port } = new URL(world.page);
  const { request } = await import('node:http');
  const status = await new Promise((resolve, reject) => {
    const headers = { host: 'evil.example' };
    request({ hostname, port, path: '/world.json', headers }, (response) => resolve(response.statusCode))
      .on('error', reject)
      .end();
  });
  expect(status).toBe(421);
});
