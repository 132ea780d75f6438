// What a node learns of its instance, from a metadata service that speaks IMDSv2 only.

import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { type InstanceMetadata, startInstanceMetadata } from '#local/instance-metadata.ts';
import { Instance } from '#media-fleet/instance.ts';
import { startServer } from '#test/unit/routing/http-server.ts';

let metadata: InstanceMetadata;
beforeEach(async () => {
  metadata = await startInstanceMetadata({
    instanceId: 'i-0abc',
    address: '10.0.0.7',
    host: '127.0.0.1',
  });
  vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', metadata.endpoint);
});
afterEach(() => {
  metadata.close();
  vi.unstubAllEnvs();
});

it('its id and its addresses', async () => {
  const instance = new Instance();
  expect(await instance.id()).toBe('i-0abc');
  expect(await instance.environment()).toEqual({
    MERIDIAN_PRIVATE_ADDRESS: '10.0.0.7',
    MERIDIAN_PUBLIC_ADDRESS: '10.0.0.7',
  });
});

it('an instance without a public address is told so', async () => {
  const service = await startServer((request, response) => {
    if (request.method === 'PUT') response.end('token');
    else if (request.url?.endsWith('local-ipv4')) response.end('10.0.0.7');
    else response.writeHead(404).end();
  });
  onTestFinished(() => service.close());
  vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', service.url);
  await expect(new Instance().environment()).rejects.toThrow('no public IPv4 address');
});

it('one without a token is not answered, so the client asks with one', async () => {
  const answer = await fetch(`${metadata.endpoint}/latest/meta-data/instance-id`);
  expect(answer.status).toBe(401);
});

it('one in a warm pool waits until its group wants it', async () => {
  metadata.setTargetState('Warmed:Stopped');
  let wanted = false;
  const onWarm = vi.fn();
  const waiting = new Instance().inService(AbortSignal.timeout(15_000), onWarm).then(() => {
    wanted = true;
  });
  await new Instance().id();
  expect(wanted).toBe(false);
  metadata.setTargetState('InService');
  await waiting;
  expect(onWarm).toHaveBeenCalledOnce();
});

it('outside of any group it is in service at once', async () => {
  const service = await startServer((request, response) => {
    if (request.method === 'PUT') response.end('token');
    else response.writeHead(404).end();
  });
  onTestFinished(() => service.close());
  vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', service.url);
  await new Instance().inService(AbortSignal.timeout(5_000), () => expect.unreachable());
});

it('its end is heard, though a look failed in between; and nobody waits past the signal', async () => {
  const over = new AbortController();
  const never = new Instance().terminated(over.signal);
  over.abort();
  await expect(never).rejects.toMatchObject({ name: 'AbortError' });
  const terminated = new Instance().terminated(AbortSignal.timeout(15_000));
  metadata.setTargetState('Terminated');
  await terminated;
});

it('a service that is not there is named, with what was asked', async () => {
  vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', 'http://127.0.0.1:9');
  await expect(new Instance().id()).rejects.toThrow('did not give instance-id: ');
});
