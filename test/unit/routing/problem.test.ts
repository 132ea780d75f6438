// Problem details: what an error says, read back by whoever is told.

import { expect, it } from 'vitest';
import * as z from 'zod';
import { Problem, parse, unavailable } from '#routing/problem.ts';

it('is an RFC 9457 body that survives the wire', () => {
  const problem = new Problem(409, 'stream-not-live', 'nobody publishes it');
  const body: unknown = JSON.parse(JSON.stringify(problem));
  expect(body).toEqual({
    type: 'urn:meridian:problem:stream-not-live',
    title: 'stream not live',
    status: 409,
    detail: 'nobody publishes it',
  });
  expect(Problem.fromBody(409, body)).toEqual(problem);
});

it('says back one short line of what was sent, whatever that was', () => {
  expect(new Problem(422, 'unusable-sdp', `it has ${'x'.repeat(60_000)}`).message).toMatch(
    /^it has x{300,392}…$/,
  );
  expect(new Problem(422, 'unusable-sdp', 'it has a\r\nb\0\u0085c').message).toBe('it has a��b��c');
  expect(new Problem(422, 'unusable-sdp', '😀'.repeat(300)).message.isWellFormed()).toBe(true);
});

it.each([undefined, null, '', 'Forbidden', { message: 'Forbidden' }, { type: 1 }])(
  'what is no problem body (%j) is still an error of that status',
  (body) => {
    expect(Problem.fromBody(403, body)).toMatchObject({
      status: 403,
      code: 'remote-error',
      message: expect.stringContaining('403'),
    });
  },
);

it('takes the status that was answered, not the one in the body', () => {
  expect(Problem.fromBody(503, new Problem(200, 'x', 'y').toJSON()).status).toBe(503);
});

it('a 503 says when to try again', () => {
  expect(unavailable('region-full', 'full', 7)).toMatchObject({
    status: 503,
    headers: { 'Retry-After': '7' },
  });
});

it('a value of the wrong form is a 400 that says where', () => {
  const schema = z.object({ leg: z.object({ port: z.number().int() }) });
  expect(parse(schema, { leg: { port: 1 } }, 'cascade')).toEqual({ leg: { port: 1 } });
  expect(() => parse(schema, { leg: { port: 'x' } }, 'cascade')).toThrow(
    expect.objectContaining({
      status: 400,
      code: 'invalid-request',
      message: expect.stringContaining('cascade: leg.port: '),
    }),
  );
  expect(() => parse(z.string(), 1, 'stream')).toThrow(/^stream: /);
});
