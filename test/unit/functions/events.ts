// Requests as API Gateway hands them to a function, and a function's answers.

import { randomUUID } from 'node:crypto';
import type { Context } from 'aws-lambda';
import type { HttpAnswer, HttpEvent } from '#functions/http/endpoint.ts';
import { matchRoute } from '#local/gateway/event.ts';

/** Where the region of these tests answers. */
export const API = 'https://eu-west-1.live.example';

export interface Sent {
  method: string;
  /** Path and query. */
  path: string;
  headers?: Record<string, string>;
  body?: string;
  base64?: boolean;
  /** The client's address; one of its own where not given, so that no test meets another's rate limit. */
  from?: string;
}

let clients = 0;
/** Of the range for benchmarks (RFC 2544). */
function newAddress(): string {
  clients += 1;
  return `198.18.${(clients >> 8) & 255}.${clients & 255}`;
}

/** A request in payload format 2.0, its header names in lower case. */
export function httpEvent({
  method,
  path,
  headers = {},
  body,
  base64 = false,
  from = newAddress(),
}: Sent): HttpEvent {
  const url = new URL(path, API);
  const pathParameters = matchRoute(method, url.pathname)?.params ?? {};
  const routeKey = `${method} ${url.pathname}`;
  return {
    version: '2.0',
    routeKey,
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    ...(url.search === '' ? {} : { queryStringParameters: Object.fromEntries(url.searchParams) }),
    pathParameters,
    requestContext: {
      accountId: '000000000000',
      apiId: 'test',
      domainName: url.host,
      domainPrefix: 'test',
      http: { method, path: url.pathname, protocol: 'HTTP/1.1', sourceIp: from, userAgent: 'test' },
      requestId: randomUUID(),
      routeKey,
      stage: '$default',
      time: new Date().toISOString(),
      timeEpoch: Date.now(),
    },
    ...(body === undefined ? {} : { body }),
    isBase64Encoded: base64,
  };
}

const notUsed = () => {
  throw new Error('callbacks are not supported by Node.js 24 functions');
};

const lambda: Context = {
  callbackWaitsForEmptyEventLoop: false,
  functionName: 'test',
  functionVersion: '$LATEST',
  invokedFunctionArn: 'arn:aws:lambda:eu-west-1:000000000000:function:test',
  memoryLimitInMB: '512',
  awsRequestId: 'test',
  logGroupName: 'test',
  logStreamName: 'test',
  getRemainingTimeInMillis: () => 29_000,
  done: notUsed,
  fail: notUsed,
  succeed: notUsed,
};

export type Handler = (event: HttpEvent, context: Context) => Promise<HttpAnswer>;

export interface Answered {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** The body as JSON; undefined where it is none. */
  json: unknown;
}

/** Calls a handler; header names come back in lower case. */
export async function call(handler: Handler, sent: Sent): Promise<Answered> {
  const { statusCode = 200, headers = {}, body = '' } = await handler(httpEvent(sent), lambda);
  return {
    status: statusCode,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    ),
    body,
    json: parsed(body),
  };
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
