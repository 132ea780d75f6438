// The session's URL: T rows (PATCH) and X rows (DELETE and lifetime).

import { setTimeout as sleep } from 'node:timers/promises';
import { both, must, type Row, type Server, type Session, Skipped, type Use } from '../row.ts';

const FRAGMENT = 'application/trickle-ice-sdpfrag';

/** How long a server may keep a session whose media never connects, in ms: MediaMTX gives 10 s. */
const NEVER_CONNECTED = 15_000;

/** A fragment with these credentials and one candidate, as a client trickles it. */
const fragment = (ufrag: string, password: string, mid = '0', candidate = '192.0.2.1 40000 typ host') =>
  [
    `a=ice-ufrag:${ufrag}`,
    `a=ice-pwd:${password}`,
    'm=audio 9 UDP/TLS/RTP/SAVPF 0',
    `a=mid:${mid}`,
    `a=candidate:1 1 udp 2122260223 ${candidate}`,
    '',
  ].join('\r\n');

/** A fragment of the session's own ICE session. */
function ownFragment({ offer }: Session, candidate?: string): string {
  const value = (name: string) => new RegExp(`^a=${name}:(\\S+)`, 'm').exec(offer)?.[1] ?? '';
  return fragment(value('ice-ufrag'), value('ice-pwd'), value('mid'), candidate);
}

const RESTART = fragment('Rest', 'arestartedsessionspassword');

const patch = (server: Server, { url }: Session, body: string, headers: Record<string, string>) =>
  server.send(url, { method: 'PATCH', headers: { 'content-type': FRAGMENT, ...headers }, body });

const session = (
  id: string,
  requirement: string,
  level: Row['level'],
  check: (server: Server, opened: Session, use: Use) => Promise<void>,
) =>
  both({ id, requirement, level, check: async (server, use) => check(server, await server.open(use), use) });

const status = (answer: { status: number }, ...wanted: number[]) =>
  must(wanted.includes(answer.status), `answered ${answer.status}, not ${wanted.join(' or ')}`);

export const sessionRows: Row[] = [
  ...session(
    'T1',
    'a PATCH of another Content-Type is refused with 415 (RFC 9725 section 4.3.1)',
    'MUST',
    async (server, opened) => {
      const headers = { 'content-type': 'text/plain', 'if-match': opened.etag };
      status(await patch(server, opened, ownFragment(opened), headers), 415);
    },
  ),
  ...session('T2', 'a malformed fragment is refused with 400', 'MUST', async (server, opened) => {
    status(await patch(server, opened, 'hello', { 'if-match': opened.etag }), 400);
  }),
  ...session(
    'T3',
    'trickled candidates: 204 without content and without ETag',
    'MUST',
    async (server, opened) => {
      const answer = await patch(server, opened, ownFragment(opened), { 'if-match': opened.etag });
      status(answer, 204);
      must(answer.body === '' && !answer.headers.has('etag'), 'there is a body or an ETag');
    },
  ),
  ...session('T4', 'a PATCH without If-Match is refused with 428', 'MUST', async (server, opened) => {
    status(await patch(server, opened, ownFragment(opened), {}), 428);
  }),
  ...session('T5', 'a PATCH with another If-Match is refused with 412', 'MUST', async (server, opened) => {
    status(await patch(server, opened, ownFragment(opened), { 'if-match': '"another"' }), 412);
  }),
  ...session(
    'T8',
    'an ICE restart (If-Match: *): 200, new credentials and a new ETag',
    'MUST',
    restarts('*'),
  ),
  ...session(
    'T9',
    'an ICE restart with the wildcard in quotes, as RFC 9725’s own example has it',
    'interop',
    restarts('"*"'),
  ),
  ...session(
    'T10',
    'new credentials with the present ETag are a restart too',
    'MUST',
    async (server, opened) => {
      const answer = await patch(server, opened, RESTART, { 'if-match': opened.etag });
      status(answer, 200, 412);
      if (answer.status === 200) must(answer.headers.get('etag') !== opened.etag, 'the ETag is the old one');
    },
  ),
  ...session('T12', 'after a restart the old ETag is stale: 412', 'MUST', async (server, opened) => {
    status(await patch(server, opened, RESTART, { 'if-match': '*' }), 200);
    status(await patch(server, opened, ownFragment(opened), { 'if-match': opened.etag }), 412);
  }),
  ...session('T13', 'ice-lite does not change over a restart', 'MUST', async (server, opened) => {
    const answer = await patch(server, opened, RESTART, { 'if-match': '*' });
    const lite = (text: string) => /^a=ice-lite\r?$/m.test(text);
    must(lite(answer.body) === lite(opened.body), 'it was said in one of the two only');
  }),
  ...session(
    'T14',
    'a candidate that cannot be used (mDNS) is ignored: 204',
    'MUST',
    async (server, opened) => {
      const mdns = ownFragment(opened, '0a1b2c3d-0000-4000-8000-000000000000.local 40000 typ host');
      status(await patch(server, opened, mdns, { 'if-match': opened.etag }), 204);
    },
  ),
  ...session('T16', 'a PATCH of a session that has ended is a 404', 'MUST', async (server, opened) => {
    await server.send(opened.url, { method: 'DELETE' });
    status(await patch(server, opened, ownFragment(opened), { 'if-match': opened.etag }), 404, 410);
  }),
  ...session(
    'T18',
    'a PATCH of application/sdp when nothing was counter-offered is a 4xx',
    'MUST',
    async (server, opened) => {
      const headers = { 'content-type': 'application/sdp', 'if-match': opened.etag };
      status(await patch(server, opened, opened.offer, headers), 400, 405, 409, 415, 422);
    },
  ),
  ...session('X1', 'DELETE ends the session: 200', 'MUST', async (server, { url }) => {
    status(await server.send(url, { method: 'DELETE' }), 200, 204);
  }),
  ...session('X2', 'DELETE succeeds whatever its If-Match', 'MUST', async (server, { url }) => {
    status(await server.send(url, { method: 'DELETE', headers: { 'if-match': '"another"' } }), 200, 204);
  }),
  ...session('X3', 'a second DELETE is a 404', 'MUST', async (server, { url }) => {
    await server.send(url, { method: 'DELETE' });
    status(await server.send(url, { method: 'DELETE' }), 404, 410);
  }),
  {
    id: 'X4',
    requirement: 'DELETE without the token that the POST needed is a 401',
    level: 'MUST',
    check: async (server) => {
      if (server.token === undefined) throw new Skipped('the server under test wants no token');
      const { url } = await server.open('whip');
      status(await server.send(url, { method: 'DELETE', authorized: false }), 401);
    },
  },
  ...both({
    id: 'X5',
    requirement: 'session URLs cannot be guessed: they differ in at least 16 characters',
    level: 'SHOULD',
    check: async (server, use) => {
      const [a, b] = [(await server.open(use)).url, (await server.open(use)).url];
      const differing = [...a].filter((character, index) => character !== b[index]).length;
      must(differing >= 16, `two URLs differ in ${differing} characters`);
    },
  }),
  ...both({
    id: 'X6',
    requirement: 'DELETE of the endpoint is a 405',
    level: 'MUST',
    check: async (server, use) => status(await server.send(server[use], { method: 'DELETE' }), 405),
  }),
  ...session('X9', 'a session whose media never connects is freed', 'SHOULD', async (server, opened) => {
    const deadline = performance.now() + NEVER_CONNECTED;
    for (;;) {
      const answer = await patch(server, opened, ownFragment(opened), { 'if-match': opened.etag });
      if (answer.status === 404 || answer.status === 410) return;
      must(
        performance.now() < deadline,
        `after ${NEVER_CONNECTED / 1000} s it still answers ${answer.status}`,
      );
      await sleep(500);
    }
  }),
];

/** A restart asked for with this `If-Match`. */
function restarts(ifMatch: string) {
  return async (server: Server, opened: Session) => {
    const answer = await patch(server, opened, RESTART, { 'if-match': ifMatch });
    status(answer, 200);
    must(
      /^a=ice-ufrag:/m.test(answer.body) && /^a=ice-pwd:/m.test(answer.body),
      'there are no new credentials',
    );
    const etag = answer.headers.get('etag');
    must(etag !== null && etag !== opened.etag, 'there is no new ETag');
  };
}
