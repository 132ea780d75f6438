// Floods, only where they are asked for: who sends too many requests is told so, and when to come back.

import { type Answer, both, must, type Row, type Server, Skipped } from '../row.ts';

/** Requests that are under way at once. */
const AT_ONCE = 10;

/** Sends requests until one is refused for their number. */
async function flood({ flood: most }: Server, ask: () => Promise<Answer>): Promise<void> {
  if (most === undefined) throw new Skipped('no flood is asked for: --flood N');
  for (let sent = 0; sent < most; sent += AT_ONCE) {
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, ask));
    const refusal = answers.find(({ status }) => status === 429 || status === 503);
    if (refusal === undefined) continue;
    // RFC 9110 section 10.2.3: seconds or a date.
    const retryAfter = refusal.headers.get('retry-after') ?? '';
    must(/^\d+$/.test(retryAfter) || !Number.isNaN(Date.parse(retryAfter)), 'there is no Retry-After');
    return;
  }
  must(false, `none of ${most} requests was refused`);
}

export const floodRows: Row[] = [
  ...both({
    id: 'T19',
    requirement: 'too many PATCHes of a session are refused with 429 or 503 and Retry-After',
    level: 'SHOULD',
    check: async (server, use) => {
      const { url } = await server.open(use);
      const headers = { 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': '"another"' };
      await flood(server, () => server.send(url, { method: 'PATCH', headers, body: 'a=mid:0\r\n' }));
    },
  }),
  // Last: after it no session can be opened for a while.
  ...both({
    id: 'P26',
    requirement: 'too many POSTs are refused with 429 or 503 and Retry-After',
    level: 'SHOULD',
    check: (server, use) => {
      const headers = { 'content-type': 'application/sdp' };
      return flood(server, () => server.send(server[use], { method: 'POST', headers, body: 'hello' }));
    },
  }),
];
