// The global name leads each client to its region, and from there the whole way works.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { decode, encode } from 'dns-packet';
import { expect, test } from 'vitest';
import { CLIENT_SUBNETS } from '#local/dns/client-subnets.ts';
import { eventually, regions, world } from './support.ts';

async function resolve(name: string, subnet: string): Promise<string | undefined> {
  const [host = '', port = ''] = world.dns.split(':');
  const [ip = ''] = subnet.split('/');
  const socket = createSocket('udp4');
  const query = encode({
    type: 'query',
    id: 1,
    questions: [{ type: 'A', name }],
    additionals: [
      {
        type: 'OPT',
        name: '.',
        udpPayloadSize: 1232,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        // EDNS client subnet (RFC 7871).
        options: [{ code: 8, ip, sourcePrefixLength: 24 }],
      },
    ],
  });
  socket.send(query, Number(port), host);
  const [message] = await once(socket, 'message', { signal: AbortSignal.timeout(3_000) });
  socket.close();
  const [answer] = decode(message).answers ?? [];
  return answer?.type === 'A' ? answer.data : undefined;
}

test('a client of each region reaches that region’s gateway by the global name', async () => {
  for (const region of [regions.us, regions.eu, regions.ap]) {
    const subnets = Object.entries(CLIENT_SUBNETS).find(([id]) => id === region.id)?.[1];
    const address = await resolve(world.globalName, subnets?.ipv4 ?? '');
    const response = await fetch(`http://${address}:${world.globalPort}/healthz`);
    expect(await response.json()).toMatchObject({ region: region.id, status: 'healthy' });
  }
});

test('an evacuated region is led to no more, and its /healthz says so; afterwards it is again', async () => {
  const evacuation = (method: string) =>
    fetch(`${regions.us.api}/api/evacuations/${regions.eu.id}`, {
      method,
      headers: { authorization: `Bearer ${world.apiSecret}` },
    });
  const subnet = CLIENT_SUBNETS['eu-west-1']?.ipv4 ?? '';
  const healthz = async () => (await fetch(`${regions.eu.api}/healthz`)).status;
  const own = await resolve(world.globalName, subnet);
  expect((await evacuation('PUT')).status).toBe(200);
  await eventually(
    () => resolve(world.globalName, subnet),
    (address) => address !== undefined && address !== own,
  );
  await eventually(healthz, (status) => status === 503);
  expect((await evacuation('DELETE')).status).toBe(200);
  await eventually(
    () => resolve(world.globalName, subnet),
    (address) => address === own,
  );
  expect(await healthz()).toBe(200);
});
