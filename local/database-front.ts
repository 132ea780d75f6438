// What can stand before the database: it notes the calls, and is slow, errs or is gone when it is told to.

import { createServer, type IncomingMessage, request } from 'node:http';
import { listen } from './listen.ts';

/** A call as IAM names it. */
export interface DatabaseCall {
  /** The caller's address. */
  from: string;
  /** `Query`, `PutItem` … */
  operation: string;
  table: string;
}

export type DatabaseState =
  | { is: 'well' }
  /** Every answer comes so many milliseconds late. */
  | { is: 'slow'; by: number }
  /** Every call is answered 500. */
  | { is: 'erring' }
  /** Connections are refused. */
  | { is: 'gone' };

export interface DatabaseFront {
  endpoint: string;
  /** All since the start, oldest first. */
  readonly calls: readonly DatabaseCall[];
  set(state: DatabaseState): Promise<void>;
  close(): void;
}

/** Has a call made by `make`, when its turn comes, and resolves when its caller may have the answer. */
export type AroundCall = (
  call: DatabaseCall & { body: unknown },
  make: () => Promise<IncomingMessage>,
) => Promise<IncomingMessage>;

const atOnce: AroundCall = (_, make) => make();

/** @param endpoint the database's own. */
export async function openDatabaseFront(
  endpoint: string,
  { host = '127.0.0.1', around = atOnce }: { host?: string; around?: AroundCall } = {},
): Promise<DatabaseFront> {
  const target = new URL(endpoint);
  const calls: DatabaseCall[] = [];
  let state: DatabaseState = { is: 'well' };
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const call: { TableName?: string } = JSON.parse(body.toString());
    const { TableName: table = '' } = call;
    const operation = String(incoming.headers['x-amz-target']).split('.').at(-1) ?? '';
    const noted = { from: incoming.socket.remoteAddress ?? '', operation, table };
    calls.push(noted);
    if (state.is === 'erring') {
      const error = { __type: 'com.amazon.coral.service#InternalServerError', message: 'told to err' };
      response.writeHead(500, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(error));
      return;
    }
    const delay = state.is === 'slow' ? state.by : 0;
    const { method, headers } = incoming;
    const make = async () => {
      const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
      const passedOn = request({ host: target.hostname, port: target.port, method, headers }, resolve);
      passedOn.on('error', reject);
      passedOn.end(body);
      return promise;
    };
    try {
      const answer = await around({ ...noted, body: call }, make);
      const pass = () => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      };
      if (delay > 0) setTimeout(pass, delay);
      else pass();
    } catch {
      // The caller sees what the database did: the connection broke.
      response.destroy();
    }
  });
  const port = await listen(server, { host, port: 0, what: 'what stands before the database', option: '' });
  const hangUp = () => {
    server.close();
    server.closeAllConnections();
  };
  return {
    endpoint: `http://${host}:${port}`,
    calls,
    set: async (next) => {
      const wasGone = state.is === 'gone';
      state = next;
      if (next.is === 'gone' && !wasGone) hangUp();
      if (next.is !== 'gone' && wasGone)
        await listen(server, { host, port, what: 'what stands before the database', option: '' });
    },
    close: hangUp,
  };
}
