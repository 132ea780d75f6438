// Another region as this one sees it: an HTTP server that answers what it is told, and notes what it was asked.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface OtherRegion {
  api: string;
  /** What it answers to its next requests; undefined: 500. */
  says: unknown;
  asked: IncomingMessage[];
}

export async function startOtherRegion(): Promise<OtherRegion> {
  const server = createServer((request, response) => {
    other.asked.push(request);
    response.writeHead(other.says === undefined ? 500 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(other.says ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const other: OtherRegion = {
    api: `http://127.0.0.1:${port}`,
    says: undefined,
    asked: [],
  };
  return other;
}
