// What a built function finds around it: a database, keys, and Route 53 as far as it is asked.

import { createServer } from 'node:http';
import { nodesTable, startDatabase } from '#local/database.ts';
import { listen } from '#local/listen.ts';

export interface FunctionSurroundings {
  environment: Record<string, string>;
  /** What Route 53 was asked, as `method path`. */
  route53: string[];
  close(): Promise<void>;
}

const REGION = 'eu-west-1';
const HEALTH_CHECK = `<?xml version="1.0"?><GetHealthCheckResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/">
<HealthCheck><Id>check-1</Id><CallerReference>x</CallerReference><HealthCheckConfig><Type>HTTPS</Type></HealthCheckConfig>
<HealthCheckVersion>1</HealthCheckVersion></HealthCheck></GetHealthCheckResponse>`;

export async function startSurroundings(): Promise<FunctionSurroundings> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const database = await startDatabase({ regions: [REGION], credentials });
  const route53: string[] = [];
  const server = createServer((request, response) => {
    route53.push(`${request.method} ${request.url}`);
    response.writeHead(200, { 'content-type': 'text/xml' }).end(HEALTH_CHECK);
  });
  const port = await listen(server, { host: '127.0.0.1', port: 0, what: 'Route 53', option: '' });
  const key = Buffer.alloc(32, 7).toString('base64');
  return {
    route53,
    environment: {
      PATH: process.env.PATH ?? '',
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_ROUTE_53: `http://127.0.0.1:${port}`,
      AWS_ENDPOINT_URL_DYNAMODB: database.endpoint,
      MERIDIAN_REGION: REGION,
      MERIDIAN_REGIONS: JSON.stringify([{ id: REGION, api: 'https://eu-west-1.example.org' }]),
      MERIDIAN_STREAMS_TABLE: 'meridian-streams',
      MERIDIAN_NODES_TABLE: nodesTable(REGION),
      MERIDIAN_CONTROL_TABLE: 'meridian-control',
      MERIDIAN_HEALTH_CHECK_ID: 'check-1',
      MERIDIAN_CLUSTER_KEY: key,
      MERIDIAN_TOKEN_KEY: key,
      MERIDIAN_SESSION_KEY: key,
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await database.close();
    },
  };
}
