// What every HTTP function has around its routes, and how a request is read.

import { afterAll, beforeEach, expect, it, vi } from 'vitest';
import { bearerToken, bodyText, endpoint, jsonBody, pathParameter } from '#functions/http/endpoint.ts';
import { log } from '#functions/log.ts';
import { Problem } from '#routing/problem.ts';
import { call, httpEvent } from '../events.ts';

const logged = vi.spyOn(log, 'error');
afterAll(() => logged.mockRestore());
beforeEach(() => {
  logged.mockReset().mockImplementation(() => undefined);
});

const handler = endpoint({
  routes: [
    { method: 'GET', path: '/things', handle: () => ({ statusCode: 200, body: 'all' }) },
    {
      method: 'POST',
      path: '/things',
      handle: async () => ({ statusCode: 201, headers: { Location: '/things/1' } }),
    },
    {
      method: 'GET',
      path: '/things/{id}',
      handle: (event) => ({ statusCode: 200, body: pathParameter(event, 'id') }),
    },
    { method: 'DELETE', path: '/things/{id}', handle: () => ({ statusCode: 204 }) },
    {
      method: 'PATCH',
      path: '/things/{id}',
      handle: () => {
        throw new Problem(412, 'wrong-entity-tag', 'another tag', { 'Retry-After': '3' });
      },
    },
    {
      method: 'POST',
      path: '/broken',
      handle: () => Promise.reject(new Error('the database password is 1234')),
    },
  ],
});

it('calls the route of the method and path', async () => {
  expect(await call(handler, { method: 'GET', path: '/things' })).toMatchObject({ status: 200, body: 'all' });
  expect(await call(handler, { method: 'POST', path: '/things' })).toMatchObject({
    status: 201,
    headers: { location: '/things/1' },
  });
  expect(await call(handler, { method: 'GET', path: '/things/7' })).toMatchObject({ status: 200, body: '7' });
});

it.each([
  ['DELETE', '/things', ['GET', 'POST', 'OPTIONS']],
  ['PUT', '/things/1', ['GET', 'DELETE', 'PATCH', 'OPTIONS']],
  ['GET', '/broken', ['POST', 'OPTIONS']],
])('%s %s is a 405 that says what is allowed', async (method, path, allowed) => {
  const { status, headers, json } = await call(handler, { method, path });
  expect(status).toBe(405);
  expect(headers.allow?.split(', ').toSorted()).toEqual(allowed.toSorted());
  expect(json).toMatchObject({ type: 'urn:meridian:problem:method-not-allowed', status: 405 });
});

it.each(['/', '/thing', '/things/1/2', '/xthings', '/thingsx'])('%s is a 404', async (path) => {
  const { status, headers, json } = await call(handler, { method: 'GET', path });
  expect(status).toBe(404);
  expect(headers['content-type']).toBe('application/problem+json');
  expect(json).toMatchObject({ status: 404, detail: expect.stringContaining('path') });
});

it.each([
  ['PUT', '/things/a-secret'],
  ['GET', '/things/1/a-secret'],
])('%s %s: what stands in the path is not said back', async (method, path) => {
  const { status, json } = await call(handler, { method, path });
  expect(status).toBeGreaterThanOrEqual(404);
  expect(JSON.stringify(json)).not.toContain('a-secret');
});

it('a Problem is problem details, with its headers, not to be cached', async () => {
  expect(await call(handler, { method: 'PATCH', path: '/things/1' })).toMatchObject({
    status: 412,
    headers: { 'content-type': 'application/problem+json', 'retry-after': '3', 'cache-control': 'no-store' },
    json: {
      type: 'urn:meridian:problem:wrong-entity-tag',
      title: 'wrong entity tag',
      status: 412,
      detail: 'another tag',
    },
  });
  expect(logged).not.toHaveBeenCalled();
});

it('an unexpected error is a 500 of which only the log tells more', async () => {
  const { status, body, headers } = await call(handler, { method: 'POST', path: '/broken' });
  expect(status).toBe(500);
  expect(headers['content-type']).toBe('application/problem+json');
  expect(body).not.toMatch(/password|stack|at /);
  expect(logged.mock.calls).toEqual([
    [
      'unexpected error',
      {
        route: 'POST /broken',
        apiRequestId: expect.any(String),
        error: expect.objectContaining({ message: 'the database password is 1234' }),
      },
    ],
  ]);
});

it('an API with errors of its own form has them for all errors', async () => {
  const other = endpoint({
    routes: [{ method: 'GET', path: '/x', handle: () => Promise.reject(new Problem(409, 'no', 'not now')) }],
    errorBody: ({ message, status }) => ({
      contentType: 'application/json',
      body: JSON.stringify({ success: false, message, status }),
    }),
  });
  expect(await call(other, { method: 'GET', path: '/x' })).toMatchObject({
    status: 409,
    headers: { 'content-type': 'application/json' },
    json: { success: false, message: 'not now' },
  });
  expect((await call(other, { method: 'GET', path: '/y' })).json).toMatchObject({
    success: false,
    status: 404,
  });
});

it.each([
  ['GET', '/things', 200],
  ['GET', '/nothing', 404],
  ['PUT', '/things', 405],
  ['POST', '/broken', 500],
  ['PATCH', '/things/1', 412],
] as const)('%s %s (%i) may be read by a page of any origin', async (method, path, status) => {
  const answer = await call(handler, { method, path, headers: { Origin: 'https://page.example' } });
  expect(answer.status).toBe(status);
  expect(answer.headers['access-control-allow-origin']).toBe('*');
  const exposed = answer.headers['access-control-expose-headers'] ?? '';
  for (const name of [
    'Location',
    'Link',
    'ETag',
    'Accept-Post',
    'Retry-After',
    'Meridian-Region',
    'Meridian-Node',
  ])
    expect(exposed).toContain(name);
});

it('answers a preflight on every path, without credentials', async () => {
  for (const path of ['/things', '/things/1', '/broken']) {
    const { status, headers } = await call(handler, {
      method: 'OPTIONS',
      path,
      headers: { Origin: 'https://page.example', 'Access-Control-Request-Method': 'PATCH' },
    });
    expect(status).toBe(200);
    expect(headers['access-control-allow-methods']).toContain('PATCH');
    for (const name of ['Authorization', 'Content-Type', 'If-Match']) {
      expect(headers['access-control-allow-headers']).toContain(name);
    }
    expect(Number(headers['access-control-max-age'])).toBeGreaterThan(0);
  }
});

it('a path parameter that is not valid percent-encoding is a 400', async () => {
  expect(await call(handler, { method: 'GET', path: '/things/%zz' })).toMatchObject({ status: 400 });
});

const event = (headers: Record<string, string>, path = '/x') => httpEvent({ method: 'POST', path, headers });

it.each([
  [{ Authorization: 'Bearer abc.def' }, '/x', 'abc.def'],
  [{ Authorization: 'bearer   abc' }, '/x', 'abc'],
  [{ Authorization: ' Bearer abc ' }, '/x', 'abc'],
  [{ Authorization: 'Bearer abc' }, '/x?token=other', 'abc'],
  [{}, '/x?token=abc', 'abc'],
  [{ Authorization: 'Bearer' }, '/x?token=abc', 'abc'],
  [{ Authorization: 'Basic YTpi' }, '/x?token=abc', 'abc'],
  [{ Authorization: 'Basic YTpi' }, '/x', undefined],
  [{ Authorization: 'Bearer' }, '/x', undefined],
  [{ Authorization: 'Bearerabc' }, '/x', undefined],
  [{ Authorization: '' }, '/x?token=', undefined],
  [{}, '/x', undefined],
])('of %j on %s the token is %j', (headers, path, token) => {
  expect(bearerToken(event({ ...headers }, path))).toBe(token);
});

it('reads a body in whatever form API Gateway gave it', () => {
  const text = 'v=0\r\nü';
  const base64 = Buffer.from(text).toString('base64');
  expect(bodyText(httpEvent({ method: 'POST', path: '/x', body: text }))).toBe(text);
  expect(bodyText(httpEvent({ method: 'POST', path: '/x', body: base64, base64: true }))).toBe(text);
  expect(bodyText(httpEvent({ method: 'POST', path: '/x' }))).toBe('');
  expect(bodyText(httpEvent({ method: 'POST', path: '/x', base64: true }))).toBe('');
});

it('a JSON body is read, and anything else is a 400', () => {
  expect(jsonBody(httpEvent({ method: 'POST', path: '/x', body: '{"a":1}' }))).toEqual({ a: 1 });
  for (const body of ['', '{', 'v=0']) {
    expect(() => jsonBody(httpEvent({ method: 'POST', path: '/x', body }))).toThrow(
      expect.objectContaining({ status: 400, code: 'invalid-request' }),
    );
  }
});
