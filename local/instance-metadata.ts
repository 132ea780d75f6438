// What EC2's instance metadata service says to a node, for nodes that are processes of one machine. IMDSv2, as on AWS.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { listen } from './listen.ts';

export interface InstanceMetadataOptions {
  instanceId: string;
  /** All of its addresses. */
  address: string;
  /** Where the service listens: an address that the instance reaches. */
  host: string;
}

/** A metadata service of one node's own. */
export interface InstanceMetadata {
  /** For AWS_EC2_METADATA_SERVICE_ENDPOINT. */
  endpoint: string;
  /** What the instance's Auto Scaling Group wants of it: InService, Terminated, Warmed:Stopped … */
  setTargetState(state: string): void;
  close(): void;
}

/** Seconds (the service's own most). */
const TOKEN_TTL = 21_600;

export async function startInstanceMetadata({
  instanceId,
  address,
  host,
}: InstanceMetadataOptions): Promise<InstanceMetadata> {
  const token = randomUUID();
  const values = new Map([
    ['instance-id', instanceId],
    ['local-ipv4', address],
    ['public-ipv4', address],
    ['autoscaling/target-lifecycle-state', 'InService'],
  ]);
  const server = createServer((request, response) => {
    if (request.method === 'PUT' && request.url === '/latest/api/token') {
      response.writeHead(200, { 'x-aws-ec2-metadata-token-ttl-seconds': String(TOKEN_TTL) }).end(token);
      return;
    }
    const value = values.get((request.url ?? '').replace('/latest/meta-data/', ''));
    if (request.headers['x-aws-ec2-metadata-token'] !== token) response.writeHead(401).end();
    else if (value === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'text/plain' }).end(value);
  });
  const port = await listen(server, { host, port: 0, what: 'the metadata of an instance', option: '' });
  return {
    endpoint: `http://${host}:${port}`,
    setTargetState: (state) => values.set('autoscaling/target-lifecycle-state', state),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
