// What every HTTP function has around its routes: CORS, 405 and 404, and errors as the caller expects them.

import middy from '@middy/core';
import httpCors from '@middy/http-cors';
import httpRouter, { type Method, type Route } from '@middy/http-router';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { Problem } from '#routing/problem.ts';
import { log } from '../log.ts';

export type HttpEvent = APIGatewayProxyEventV2;
export type HttpAnswer = APIGatewayProxyStructuredResultV2;

export interface EndpointRoute {
  method: Exclude<Method, 'ANY'>;
  path: string;
  handle: (event: HttpEvent) => Promise<HttpAnswer> | HttpAnswer;
}

export interface EndpointOptions {
  routes: readonly EndpointRoute[];
  /** How an error looks; problem details unless said otherwise. */
  errorBody?: (problem: Problem) => { contentType: string; body: string };
}

/** A browser may keep a preflight's answer this long, in seconds; Chromium's own limit. */
const PREFLIGHT_AGE = 7_200;

const problemDetails = (problem: Problem) => ({
  contentType: 'application/problem+json',
  body: JSON.stringify(problem),
});

/** A Lambda handler of these routes. */
export function endpoint({ routes: given, errorBody = problemDetails }: EndpointOptions) {
  const routes = withPreflights(given);
  return middy<HttpEvent, HttpAnswer>()
    .use(
      httpCors({
        origin: '*',
        methods: 'GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS',
        headers: 'Authorization, Content-Type, If-Match, Last-Event-ID, Prefer',
        exposeHeaders:
          'Location, Link, ETag, Accept-Post, Retry-After, Preference-Applied, WWW-Authenticate, Allow, Meridian-Region, Meridian-Node',
        maxAge: PREFLIGHT_AGE,
      }),
    )
    .onError((request) => {
      const { error } = request;
      const problem = error instanceof Problem ? error : unexpected(error, request.event);
      if (error instanceof Problem && error.cause !== undefined) told(error, request.event);
      const { contentType, body } = errorBody(problem);
      request.response = {
        statusCode: problem.status,
        headers: { ...problem.headers, 'Content-Type': contentType, 'Cache-Control': 'no-store' },
        body,
      };
    })
    .handler(
      httpRouter<HttpEvent, HttpAnswer>({
        routes: routes.map(
          ({ method, path, handle }): Route<HttpEvent, HttpAnswer> => ({
            method,
            path,
            handler: async (event: HttpEvent) => handle(event),
          }),
        ),
        notFoundResponse: ({ method, path }) => {
          throw notFound(routes, method, path);
        },
      }),
    );
}

/** A browser asks OPTIONS first, without credentials, on every path. */
function withPreflights(given: readonly EndpointRoute[]): EndpointRoute[] {
  const answered = new Set(given.filter(({ method }) => method === 'OPTIONS').map(({ path }) => path));
  const missing = [...new Set(given.map(({ path }) => path))].filter((path) => !answered.has(path));
  return [
    ...given,
    ...missing.map((path) => ({ method: 'OPTIONS' as const, path, handle: () => ({ statusCode: 200 }) })),
  ];
}

/** 405 with `Allow` where the path has other methods, else 404. The path is not said back: a session's is a secret. */
function notFound(routes: readonly EndpointRoute[], method: string, path: string): Problem {
  const allowed = routes.filter((route) => pathPattern(route.path).test(path)).map((route) => route.method);
  if (allowed.length === 0) return new Problem(404, 'unknown-path', 'there is nothing at this path');
  const allow = allowed.join(', ');
  return new Problem(405, 'method-not-allowed', `this path has no ${method}; it has ${allow}`, {
    Allow: allow,
  });
}

const pathPattern = (path: string): RegExp => new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}/?$`);

/** A Problem whose cause lies behind us: the caller gets the one, the log both. */
function told(problem: Problem, event: HttpEvent): void {
  const { code, message, cause } = problem;
  log.warn(message, { code, apiRequestId: event.requestContext?.requestId, cause: String(cause) });
}

/** What nobody foresaw: told in full to the log, and to the caller only that it happened. */
function unexpected(error: unknown, event: HttpEvent): Problem {
  log.error('unexpected error', {
    apiRequestId: event.requestContext?.requestId,
    route: event.routeKey,
    error: error instanceof Error ? error : new Error(String(error)),
  });
  return new Problem(
    500,
    'internal-error',
    'something went wrong on our side; the log has it under this request',
  );
}

/** A path parameter, decoded. @throws Problem 400 when it is not valid percent-encoding. */
export function pathParameter(event: HttpEvent, name: string): string {
  try {
    return decodeURIComponent(event.pathParameters?.[name] ?? '');
  } catch {
    throw new Problem(400, 'invalid-request', `${name} in the path is not valid percent-encoding`);
  }
}

/** The body as text, whatever form API Gateway gave it. */
export const bodyText = ({ body, isBase64Encoded }: HttpEvent): string =>
  isBase64Encoded ? Buffer.from(body ?? '', 'base64').toString() : (body ?? '');

/** The body as JSON. @throws Problem 400 when it is not. */
export function jsonBody(event: HttpEvent): unknown {
  try {
    return JSON.parse(bodyText(event));
  } catch {
    throw new Problem(400, 'invalid-request', 'the body is not JSON');
  }
}

/** The bearer token of `Authorization`, else of `?token=` for clients that cannot set headers. */
export function bearerToken({ headers, queryStringParameters }: HttpEvent): string | undefined {
  const [scheme, token] = (headers.authorization ?? '').trim().split(/\s+/);
  if (scheme?.toLowerCase() === 'bearer' && token) return token;
  return queryStringParameters?.token || undefined;
}
