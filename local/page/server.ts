// The local page's web server: static files, and what the page must know of the world.

import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname } from 'node:path';
import type { RegionApi } from '#routing/region-client.ts';
import { listen } from '../listen.ts';

export interface PageOptions {
  port: number;
  apis: readonly RegionApi[];
  publishToken: string;
  apiSecret: string;
}

const PAGE = [
  'index.html',
  'page.css',
  'page.js',
  'cascade-layout.js',
  'cascade-picture.js',
  'control-api.js',
  'dom.js',
  'player.js',
  'publish.js',
  'source.js',
  'test-picture.js',
  'ticker.js',
  'watch.js',
];

const CLIENT_FOLDER = new URL('../../client/', import.meta.url);
/** As package.json there has it: every module. */
const CLIENT = readdirSync(CLIENT_FOLDER).filter((name) => name.endsWith('.js'));

/** By path. The page's own import of `../../../client/…` is `/client/…` for a browser: there is nothing above the root. */
const FILES = new Map([
  ...PAGE.map((name): [string, URL] => [`/${name}`, new URL(`./public/${name}`, import.meta.url)]),
  ...CLIENT.map((name): [string, URL] => [`/client/${name}`, new URL(name, CLIENT_FOLDER)]),
  ['/', new URL('./public/index.html', import.meta.url)],
]);

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

/** The page hands out the world's secrets: it answers only to names of this machine, whoever resolved to it. */
const LOCAL_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

/** @throws Error naming the port and the option when it is taken. */
export async function startPage(options: PageOptions): Promise<{ url: string; close(): Promise<void> }> {
  const { apis, publishToken, apiSecret } = options;
  const world = JSON.stringify({ regions: apis, publishToken, apiSecret });
  const server = createServer((request, response) => {
    serve(request, response, world).catch((error: unknown) => {
      process.stderr.write(`the page could not answer ${request.url}: ${String(error)}\n`);
      if (!response.headersSent) response.writeHead(500).end();
    });
  });
  const host = '127.0.0.1';
  const port = await listen(server, { host, port: options.port, what: 'the page', option: '--page-port' });
  return {
    url: `http://${host}:${port}`,
    close: async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      server.closeAllConnections();
      await promise;
    },
  };
}

async function serve(request: IncomingMessage, response: ServerResponse, world: string): Promise<void> {
  const url = request.url ?? '/';
  if (!LOCAL_HOST.test(request.headers.host ?? '')) {
    response.writeHead(421).end();
    return;
  }
  if (!URL.canParse(url, 'http://page')) {
    response.writeHead(400).end();
    return;
  }
  const { pathname } = new URL(url, 'http://page');
  const file = FILES.get(pathname);
  if (pathname === '/world.json') {
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(world);
  } else if (file === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n');
  } else {
    const type = TYPES[extname(file.pathname)];
    response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(await readFile(file));
  }
}
