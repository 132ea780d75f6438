// A function's execution environment as Lambda keeps it warm: modules, caches and connections of its own.

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { HttpAnswer, HttpEvent } from '#functions/http/endpoint.ts';
import { matchRoute } from '#local/gateway/event.ts';
import type { Invocation, Told } from './environment-thread.ts';

export interface FunctionRequest {
  method: string;
  /** Path and query. */
  path: string;
  headers?: Record<string, string>;
  body?: string;
}

export interface FunctionAnswer {
  answer: HttpAnswer;
  /** Inside the function: neither API Gateway nor the way to this thread. */
  ms: number;
}

export class ExecutionEnvironment {
  /** How long the function's module took to load, ms. */
  readonly importMs: number;
  readonly #thread: Worker;
  readonly #waiting = new Map<number, (answered: FunctionAnswer) => void>();
  #calls = 0;

  private constructor(thread: Worker, importMs: number) {
    this.#thread = thread;
    this.importMs = importMs;
    thread.on('message', (told: Told) => {
      if (told.ready) return;
      this.#waiting.get(told.id)?.({ answer: told.answer, ms: told.ms });
      this.#waiting.delete(told.id);
    });
  }

  /** @param module the function's source or bundle, as a URL. @throws Error when it does not load. */
  static async start(module: URL, env: Record<string, string>): Promise<ExecutionEnvironment> {
    const thread = new Worker(new URL('environment-thread.ts', import.meta.url), {
      workerData: { module: module.href },
      env,
    });
    const [told]: Told[] = await once(thread, 'message', { signal: AbortSignal.timeout(30_000) });
    if (!told?.ready) throw new Error(`${module.href} did not start`);
    return new ExecutionEnvironment(thread, told.importMs);
  }

  /** @throws Error when the function's thread is gone. */
  async call({ method, path, headers = {}, body }: FunctionRequest): Promise<FunctionAnswer> {
    this.#calls += 1;
    const { promise, resolve } = Promise.withResolvers<FunctionAnswer>();
    this.#waiting.set(this.#calls, resolve);
    const invocation: Invocation = {
      id: this.#calls,
      event: eventOf({ method, path, headers, ...(body === undefined ? {} : { body }) }),
      context: {
        callbackWaitsForEmptyEventLoop: false,
        functionName: 'bench',
        functionVersion: '$LATEST',
        invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:bench',
        memoryLimitInMB: '512',
        awsRequestId: randomUUID(),
        logGroupName: 'bench',
        logStreamName: 'bench',
      },
    };
    this.#thread.postMessage(invocation);
    return promise;
  }

  async close(): Promise<void> {
    await this.#thread.terminate();
  }
}

/** A request in API Gateway's payload format 2.0. */
function eventOf({ method, path, headers = {}, body }: FunctionRequest): HttpEvent {
  const url = new URL(path, 'https://bench.example');
  const matched = matchRoute(method, url.pathname);
  const routeKey = matched ? `${matched.route.method} ${matched.route.path}` : `${method} ${url.pathname}`;
  return {
    version: '2.0',
    routeKey,
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers,
    ...(url.search === '' ? {} : { queryStringParameters: Object.fromEntries(url.searchParams) }),
    pathParameters: matched?.params ?? {},
    requestContext: {
      accountId: '000000000000',
      apiId: 'bench',
      domainName: url.host,
      domainPrefix: 'bench',
      http: { method, path: url.pathname, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'bench' },
      requestId: randomUUID(),
      routeKey,
      stage: '$default',
      time: new Date().toISOString(),
      timeEpoch: Date.now(),
    },
    ...(body === undefined ? {} : { body }),
    isBase64Encoded: false,
  };
}
