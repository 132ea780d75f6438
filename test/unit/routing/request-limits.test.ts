// The limits of requests: what their variable may say, and what a refused client is told.

import { expect, it, vi } from 'vitest';
import { Problem } from '#routing/problem.ts';
import { type RateLimits, RequestLimits, rateLimits, rateLimitsVariable } from '#routing/request-limits.ts';

const defaults = rateLimits.parse({});
const quiet = { onRefusal: () => undefined, now: () => 0 };

/** What the second request of a key is told, where one is taken in four seconds. */
function refusal(name: keyof RateLimits, key: string): Problem {
  const limits = new RequestLimits({
    ...quiet,
    limits: { ...defaults, [name]: { burst: 1, perSecond: 0.3 } },
  });
  limits.admit(name, key);
  try {
    limits.admit(name, key);
  } catch (error) {
    if (error instanceof Problem) return error;
  }
  throw new Error('not refused with a Problem');
}

it.each<[keyof RateLimits, string]>([
  [
    'publishPerAddress',
    'WHIP POSTs from 192.0.2.7: 1 at once and 0.3 a second are taken (publishPerAddress)',
  ],
  ['publishPerToken', 'WHIP POSTs of this stream with this token'],
  ['playPerAddress', 'WHEP POSTs from 192.0.2.7'],
  ['changePerAddress', 'requests to sessions from 192.0.2.7'],
  ['changePerSession', 'requests to this session'],
])('beyond %s there is a 429 that says which limit it is, and when to try again', (name, said) => {
  const problem = refusal(name, '192.0.2.7');
  expect(problem).toMatchObject({ status: 429, code: 'too-many-requests', headers: { 'Retry-After': '4' } });
  expect(problem.message).toContain(said);
  expect(problem.message).toContain('try again in 4 s');
});

it.each(['publishPerToken', 'changePerSession'] as const)('%s: the key is not told to strangers', (name) => {
  expect(refusal(name, 's3cret').message).not.toContain('s3cret');
});

it('a limit that is off refuses nobody, and the others stay', () => {
  const limits = new RequestLimits({ ...quiet, limits: { ...defaults, playPerAddress: 'off' } });
  for (let count = 0; count < 1_000; count += 1) limits.admit('playPerAddress', 'a');
  for (let count = 0; count < 10; count += 1) limits.admit('publishPerToken', 'a');
  expect(() => limits.admit('publishPerToken', 'a')).toThrow(Problem);
});

it('refusals are told of once a minute for each limit', () => {
  let now = 5;
  const onRefusal = vi.fn();
  const one = { burst: 1, perSecond: 0.01 };
  const limits = new RequestLimits({
    limits: { ...defaults, playPerAddress: one, publishPerAddress: one },
    onRefusal,
    now: () => now,
  });
  const flood = (name: keyof RateLimits) => {
    limits.admit(name, `${now}`);
    for (let count = 0; count < 50; count += 1) expect(() => limits.admit(name, `${now}`)).toThrow(Problem);
  };
  flood('playPerAddress');
  flood('publishPerAddress');
  now += 59_000;
  flood('playPerAddress');
  now += 2_000;
  flood('playPerAddress');
  expect(onRefusal.mock.calls).toEqual([
    [{ limit: 'playPerAddress', key: '5' }],
    [{ limit: 'publishPerAddress', key: '5' }],
    [{ limit: 'playPerAddress', key: '61005' }],
  ]);
});

it('the variable: nothing is the defaults, off is all off, JSON is what differs', () => {
  expect(rateLimitsVariable.parse(undefined)).toEqual(defaults);
  expect(new Set(Object.values(rateLimitsVariable.parse('off')))).toEqual(new Set(['off']));
  expect(
    rateLimitsVariable.parse('{"playPerAddress":{"burst":9,"perSecond":0.5},"changePerSession":"off"}'),
  ).toEqual({ ...defaults, playPerAddress: { burst: 9, perSecond: 0.5 }, changePerSession: 'off' });
});

it.each([
  ['no', 'not JSON'],
  ['{"playPerAdress":"off"}', 'playPerAdress'],
  ['{"playPerAddress":{"burst":9}}', 'off, or burst'],
  ['{"playPerAddress":{"burst":0,"perSecond":1}}', 'expected number to be >=1'],
  ['{"playPerAddress":{"burst":1,"perSecond":0}}', 'expected number to be >=0.01'],
  ['{"playPerAddress":"on"}', 'off, or burst'],
])('the variable may not be %s', (text, said) => {
  expect(JSON.stringify(rateLimitsVariable.safeParse(text).error?.issues)).toContain(said);
});
