// Other methods on the endpoint: E rows.

import { both, must, type Row } from '../row.ts';

const preflight = {
  method: 'OPTIONS',
  headers: { origin: 'https://player.example', 'access-control-request-method': 'PATCH' },
  authorized: false,
} as const;

const listed = (headers: Headers, name: string): string[] =>
  (headers.get(name) ?? '').split(',').map((entry) => entry.trim().toLowerCase());

export const methodRows: Row[] = [
  ...both({
    id: 'E1',
    requirement: 'GET on the endpoint is a 2xx without content (RFC 9725 section 4.2)',
    level: 'MUST',
    check: async (server, use) => {
      const { status, body } = await server.send(server[use], { method: 'GET' });
      must(status >= 200 && status < 300, `answered ${status}`);
      must(body === '', 'there is content');
    },
  }),
  ...both({
    id: 'E2',
    requirement: 'OPTIONS is answered 200 with the CORS headers',
    level: 'MUST',
    check: async (server, use) => {
      const { status, headers } = await server.send(server[use], preflight);
      must(status === 200, `answered ${status}`);
      for (const name of ['origin', 'methods', 'headers']) {
        must(headers.has(`access-control-allow-${name}`), `there is no Access-Control-Allow-${name}`);
      }
    },
  }),
  ...both({
    id: 'E3',
    requirement: 'OPTIONS has Accept-Post: application/sdp',
    level: 'SHOULD',
    check: async (server, use) => {
      const { headers } = await server.send(server[use], preflight);
      must(listed(headers, 'accept-post').includes('application/sdp'), 'there is none');
    },
  }),
  ...both({
    id: 'E4',
    requirement: 'CORS allows POST, PATCH, DELETE, and Authorization, Content-Type, If-Match',
    level: 'interop',
    check: async (server, use) => {
      const { headers } = await server.send(server[use], preflight);
      const [methods, names] = [
        listed(headers, 'access-control-allow-methods'),
        listed(headers, 'access-control-allow-headers'),
      ];
      for (const method of ['post', 'patch', 'delete'])
        must(methods.includes(method), `${method} is not allowed`);
      for (const name of ['authorization', 'content-type', 'if-match'])
        must(names.includes(name), `${name} is not allowed`);
    },
  }),
  ...both({
    id: 'E5',
    requirement: 'the 201 exposes Location, Link and ETag to scripts',
    level: 'interop',
    check: async (server, use) => {
      const exposed = listed((await server.open(use)).headers, 'access-control-expose-headers');
      for (const name of ['location', 'link', 'etag']) must(exposed.includes(name), `${name} is not exposed`);
    },
  }),
  ...both({
    id: 'E6',
    requirement: 'a preflight from a public page to a private server is allowed',
    level: 'interop',
    check: async (server, use) => {
      const headers = { ...preflight.headers, 'access-control-request-private-network': 'true' };
      const answer = await server.send(server[use], { ...preflight, headers });
      must(answer.headers.get('access-control-allow-private-network') === 'true', 'it is not');
    },
  }),
  {
    id: 'E8',
    requirement: 'HEAD on a WHEP endpoint is 200 with Content-Type application/sdp',
    level: 'SHOULD',
    check: async (server) => {
      const { status, headers } = await server.send(server.whep, { method: 'HEAD' });
      must(status === 200, `answered ${status}`);
      must(
        (headers.get('content-type') ?? '').startsWith('application/sdp'),
        `it is ${headers.get('content-type')}`,
      );
    },
  },
  ...both({
    id: 'E9',
    requirement: 'a method that the endpoint has not got is a 405 with Allow',
    level: 'MUST',
    check: async (server, use) => {
      const { status, headers } = await server.send(server[use], { method: 'PUT', body: '' });
      must(status === 405, `answered ${status}`);
      must(headers.has('allow'), 'there is no Allow');
    },
  }),
];
