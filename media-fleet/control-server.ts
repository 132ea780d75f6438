// The node's control server: functions and nodes of the region open sessions and legs here. TLS, signed requests.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import { Problem } from '#routing/problem.ts';
import { SignatureVerifier } from '#routing/request-signature.ts';
import type { Certificate } from './certificate.ts';

/** Longest request body, in bytes: an SDP of the largest size, escaped as JSON, with the claims beside it. */
const MAX_BODY = 524_288;
/** Milliseconds for a request to arrive whole; callers are functions and nodes of the region. */
const REQUEST_TIMEOUT = 10_000;

export interface ControlRequest {
  /** The path's named segments. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  body: unknown;
}

export interface ControlRoute {
  method: string;
  /** As `/v1/sessions/{id}`. */
  path: string;
  handle: (request: ControlRequest) => unknown;
}

export interface ControlServerOptions {
  address: string;
  port: number;
  certificate: Certificate;
  clusterKey: Uint8Array;
  incarnation: string;
  routes: readonly ControlRoute[];
  log: Logger;
}

export class ControlServer {
  readonly #server: Server;
  readonly #verifier: SignatureVerifier;
  readonly #options: ControlServerOptions;

  private constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#verifier = new SignatureVerifier(options.clusterKey);
    const { key, cert } = options.certificate;
    this.#server = createServer(
      { key, cert, minVersion: 'TLSv1.3', requestTimeout: REQUEST_TIMEOUT, keepAliveTimeout: 60_000 },
      (request, response) => void this.#serve(request, response),
    );
  }

  /** @throws Error naming the address when it is taken. */
  static async listen(options: ControlServerOptions): Promise<ControlServer> {
    const control = new ControlServer(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    control.#server.once('error', reject);
    control.#server.listen(options.port, options.address, resolve);
    try {
      await promise;
    } catch (error) {
      throw new Error(`the control server cannot listen on ${options.address}:${options.port}`, {
        cause: error,
      });
    }
    control.#server.on('error', (error) => options.log.error({ err: error }, 'the control server failed'));
    return control;
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    if (address === null || typeof address === 'string')
      throw new Error('the control server does not listen');
    return address.port;
  }

  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    return promise;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { log } = this.#options;
    let status = 200;
    let answer: unknown;
    try {
      answer = await this.#handle(request);
    } catch (error) {
      if (error instanceof Problem) {
        status = error.status;
        const retryAfter = Number(error.headers['Retry-After']);
        answer = { ...error.toJSON(), ...(Number.isInteger(retryAfter) ? { retryAfter } : {}) };
      } else {
        log.error({ err: error, path: request.url }, 'a control request failed');
        status = 500;
        answer = new Problem(500, 'node-error', 'the node could not do it; its log says why').toJSON();
      }
    }
    if (response.destroyed) return;
    const text = JSON.stringify(answer);
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    });
    response.end(text);
  }

  async #handle(request: IncomingMessage): Promise<unknown> {
    const method = request.method ?? '';
    const path = request.url ?? '/';
    const body = await readBody(request);
    const refusal = this.#verifier.refusal(
      { method, path, body, incarnation: this.#options.incarnation },
      request.headers,
    );
    if (refusal) throw new Problem(401, 'not-signed', `the request is ${refusal}`);
    const [pathname = '', query] = path.split('?', 2);
    for (const route of this.#options.routes) {
      const params = route.method === method ? matchPath(route.path, pathname) : undefined;
      if (params) return route.handle({ params, query: new URLSearchParams(query), body: parseJson(body) });
    }
    throw new Problem(404, 'unknown-path', `this node has no ${method} ${path}`);
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes: Buffer = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_BODY)
      throw new Problem(413, 'too-large', `a control request is at most ${MAX_BODY} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString();
}

function parseJson(body: string): unknown {
  if (body === '') return undefined;
  try {
    return JSON.parse(body);
  } catch {
    throw new Problem(400, 'invalid-request', 'the body is not JSON');
  }
}

/** `/v1/sessions/{id}` against `/v1/sessions/abc` → `{ id: 'abc' }`. */
function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const [wanted, given] = [pattern.split('/'), path.split('/')];
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? '';
    if (segment.startsWith('{')) params[segment.slice(1, -1)] = decodeSegment(value);
    else if (segment !== value) return undefined;
  }
  return params;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new Problem(400, 'invalid-request', `${segment} is not valid percent-encoding`);
  }
}
