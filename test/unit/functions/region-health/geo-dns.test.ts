// What Route 53 is asked when a region goes out and comes back: its health check, and nothing else.

import { GetHealthCheckCommand, Route53Client, UpdateHealthCheckCommand } from '@aws-sdk/client-route-53';
import { mockClient } from 'aws-sdk-client-mock';
import { afterEach, expect, it } from 'vitest';
import { Route53GeoDns } from '#functions/region-health/geo-dns.ts';

const route53 = mockClient(Route53Client);
afterEach(() => route53.reset());
const dns = new Route53GeoDns(new Route53Client({ region: 'us-east-1' }), 'check-1');

const checkIs = (config: { Disabled?: boolean; Inverted?: boolean }) =>
  route53.on(GetHealthCheckCommand).resolves({
    HealthCheck: {
      Id: 'check-1',
      CallerReference: 'x',
      HealthCheckVersion: 7,
      HealthCheckConfig: { Type: 'HTTPS', ...config },
    },
  });
const updates = () => route53.commandCalls(UpdateHealthCheckCommand).map(({ args }) => args[0].input);

it('out: the check is disabled and inverted, which counts as unhealthy', async () => {
  checkIs({});
  await dns.setOut(true);
  expect(updates()).toEqual([
    { HealthCheckId: 'check-1', HealthCheckVersion: 7, Disabled: true, Inverted: true },
  ]);
});

it('in: the check decides again', async () => {
  checkIs({ Disabled: true, Inverted: true });
  await dns.setOut(false);
  expect(updates()).toEqual([
    { HealthCheckId: 'check-1', HealthCheckVersion: 7, Disabled: false, Inverted: false },
  ]);
});

it.each([
  [true, { Disabled: true, Inverted: true }],
  [false, { Disabled: false, Inverted: false }],
  [false, {}],
])('what is so already is not written again: %s %j', async (out, config) => {
  checkIs(config);
  await dns.setOut(out);
  expect(updates()).toEqual([]);
});

it('half of it is not it', async () => {
  checkIs({ Disabled: true });
  await dns.setOut(true);
  expect(updates()).toHaveLength(1);
});

it('a failure is the caller’s to hear', async () => {
  route53.on(GetHealthCheckCommand).rejects(new Error('throttled'));
  await expect(dns.setOut(true)).rejects.toThrow('throttled');
});
