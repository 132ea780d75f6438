import { expect, test } from 'vitest';
import { Refused, refusal, retryAfter } from '#client/errors.js';
import { unavailable } from '#routing/problem.ts';

test('a problem document of ours says what, why and when', async () => {
  const problem = unavailable('region-full', 'no edge node can take another session now', 3);
  const response = new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: problem.headers,
  });
  expect(await refusal(response)).toMatchObject({
    message: 'No edge node can take another session now.',
    status: 503,
    code: 'region-full',
    retryAfter: 3_000,
    isPassing: true,
  });
});

test.each(['', 'null', '[]', '<html>', '{"detail":7,"type":null}'])(
  'an answer of another kind is a refusal all the same: %s',
  async (body) => {
    const error = await refusal(new Response(body, { status: 404 }));
    expect(error).toMatchObject({ status: 404, code: '', retryAfter: undefined, isPassing: false });
    expect(error.message).toContain('404');
  },
);

test('an unknown code counts as its class: of 400 for good, of 500 for now', () => {
  const isPassing = (status: number) => new Refused('', { status }).isPassing;
  expect([400, 401, 404, 418, 422, 451, 499].map(isPassing)).toEqual(Array(7).fill(false));
  expect([409, 429, 500, 502, 503, 504, 599].map(isPassing)).toEqual(Array(7).fill(true));
});

test('Retry-After is seconds or a date', () => {
  expect(retryAfter('2')).toBe(2_000);
  expect(retryAfter('Thu, 01 Jan 1970 00:00:05 GMT', 1_000)).toBe(4_000);
  expect(retryAfter('Thu, 01 Jan 1970 00:00:05 GMT', 9_000)).toBe(0);
  expect(retryAfter('2147484')).toBe(3_600_000);
  expect(retryAfter('9'.repeat(400))).toBe(3_600_000);
  expect(retryAfter('Thu, 01 Jan 2099 00:00:00 GMT', 0)).toBe(3_600_000);
  const none = [null, '', 'soon', '-1', '1.5'];
  expect(none.map((value) => retryAfter(value, 0))).toEqual(none.map(() => undefined));
});
