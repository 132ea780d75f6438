// HTTP requests as API Gateway's HTTP API hands them to a Lambda (payload format 2.0), and answers back.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { API_ROUTES, type ApiRoute } from '#functions/routes.ts';

/** API Gateway's own limit (Amazon API Gateway quotas: payload size 10 MB). */
const MAX_PAYLOAD = 10_485_760;

export class PayloadTooLong extends Error {}

/** The route for a request, and what its path's named segments hold. */
export function matchRoute(
  method: string,
  path: string,
): { route: ApiRoute; params: Record<string, string> } | undefined {
  for (const { pattern, route } of PATTERNS) {
    if (route.method !== 'ANY' && route.method !== method) continue;
    const match = pattern.exec(path);
    if (match) return { route, params: decoded(match.groups ?? {}) };
  }
  return undefined;
}

const PATTERNS = API_ROUTES.map((route) => ({
  route,
  pattern: new RegExp(
    `^${route.path.replace(/\{(\w+)\+\}/g, '(?<$1>.+)').replace(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`,
  ),
}));

const decoded = (groups: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(groups).map(([name, value]) => {
      try {
        return [name, decodeURIComponent(value)];
      } catch {
        return [name, value];
      }
    }),
  );

export async function readPayload(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes: Buffer = Buffer.from(chunk);
    size += bytes.length;
    // Read to its end all the same: an answer to a client that still sends would be lost.
    if (size <= MAX_PAYLOAD) chunks.push(bytes);
  }
  if (size > MAX_PAYLOAD) throw new PayloadTooLong();
  return Buffer.concat(chunks);
}

/** Types that API Gateway passes on as text; all others come base64-encoded, application/sdp among them. */
const TEXT = /^(text\/|application\/(json|javascript|xml|x-www-form-urlencoded))/;

export function toEvent(
  request: IncomingMessage,
  { route, params, payload }: { route: ApiRoute; params: Record<string, string>; payload: Buffer },
): APIGatewayProxyEventV2 {
  const url = new URL(request.url ?? '/', 'http://gateway');
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(',') : (value ?? ''),
    ]),
  );
  const isText = TEXT.test(headers['content-type'] ?? '');
  // A parameter given twice is one value with a comma, as API Gateway has it.
  const query = Object.fromEntries(
    [...new Set(url.searchParams.keys())].map((name) => [name, url.searchParams.getAll(name).join(',')]),
  );
  const method = request.method ?? 'GET';
  const now = new Date();
  return {
    version: '2.0',
    routeKey: `${route.method} ${route.path}`,
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers,
    ...(url.search === '' ? {} : { queryStringParameters: query }),
    pathParameters: params,
    requestContext: {
      accountId: '000000000000',
      apiId: 'local',
      domainName: headers.host ?? 'localhost',
      domainPrefix: 'local',
      http: {
        method,
        path: url.pathname,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? '',
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: randomUUID(),
      routeKey: `${route.method} ${route.path}`,
      stage: '$default',
      time: now.toISOString(),
      timeEpoch: now.getTime(),
    },
    ...(payload.length === 0 ? {} : { body: payload.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: payload.length > 0 && !isText,
  };
}

export function writeAnswer(response: ServerResponse, answer: APIGatewayProxyStructuredResultV2): void {
  const { statusCode = 200, headers = {}, body = '', isBase64Encoded = false } = answer;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, String(value));
  const bytes = Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8');
  response.writeHead(statusCode, statusCode === 204 ? {} : { 'content-length': bytes.length });
  response.end(bytes);
}
