// The fuzzer's own HTTP client: sends what it is told to, headers and paths as they are, and counts what comes back.

import { Agent, type OutgoingHttpHeaders, request } from 'node:http';

/** What is fuzzed. */
export type EntryName = 'offers' | 'fragments' | 'headers' | 'tokens' | 'paths';

export interface Ask {
  /** Where the answer is counted; the fuzzer's own valid requests count apart. */
  entry: EntryName | 'valid';
  /** The region's API, as `http://127.0.0.1:8101`. */
  api: string;
  method: string;
  /** With its query, sent as it is. */
  path: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer;
}

export interface Answer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** After so long without an answer, in ms, something hangs: far more than a busy machine takes. */
const DEADLINE = 30_000;

/** Longest that a header block can be for Node's parser, in bytes: what is longer never reaches a function. */
const MAX_HEADERS = 16_384;

export class Client {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 32 });
  /** By entry, by status. */
  readonly counts = new Map<string, Map<number, number>>();
  /** Milliseconds that the slowest answer of each entry took. */
  readonly slowest = new Map<string, number>();

  /** @throws Error when no answer comes, or none in time. */
  async send(ask: Ask): Promise<Answer> {
    const begun = performance.now();
    const answer = await this.#exchange(ask);
    const { entry } = ask;
    const ofEntry = this.counts.get(entry) ?? new Map<number, number>();
    this.counts.set(entry, ofEntry.set(answer.status, (ofEntry.get(answer.status) ?? 0) + 1));
    this.slowest.set(entry, Math.max(this.slowest.get(entry) ?? 0, performance.now() - begun));
    return answer;
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange(ask: Ask): Promise<Answer> {
    const { api, method, path, headers = {}, body = '' } = ask;
    const { hostname, port } = new URL(api);
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const outgoing = request(
      {
        host: hostname,
        port,
        method,
        path,
        agent: this.#agent,
        signal: AbortSignal.timeout(DEADLINE),
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const given = Object.entries(response.headers).map(([name, value]) => [name, String(value ?? '')]);
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(given),
            body: Buffer.concat(chunks).toString(),
          });
        });
      },
    );
    outgoing.on('error', (error) => {
      // Node's parser answers and hangs up while we still send.
      const isCutOff = 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      if (isCutOff && isTooLongForHttp(ask)) resolve({ status: 431, headers: {}, body: '' });
      else reject(error);
    });
    outgoing.end(body);
    return promise;
  }
}

/** Whether HTTP's own layer refuses it for its length: then the answer is not Meridian's. */
export function isTooLongForHttp({ method, path, headers = {} }: Ask): boolean {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${String(one)}`),
  );
  // Some room for what the client adds itself.
  return Buffer.byteLength([`${method} ${path}`, ...lines].join('\r\n')) > MAX_HEADERS - 1_024;
}
