// The endpoint's POST: P rows.

import sdpTransform from 'sdp-transform';
import { both, must, type Row, type Server, Skipped, type Use } from '../row.ts';

const SDP = { 'content-type': 'application/sdp' };

const post = (server: Server, use: Use, body: string, headers: Record<string, string> = SDP) =>
  server.send(server[use], { method: 'POST', headers, body });

/** A 4xx, and which ones RFC 9725 or good sense allow. */
const refused = (status: number, among: readonly number[]) =>
  must(among.includes(status), `answered ${status}, not ${among.join(' or ')}`);

/** Exchanges one thing in an offer and expects a refusal. */
const refusing = (
  id: string,
  requirement: string,
  level: Row['level'],
  change: (offer: string, use: Use) => string,
) =>
  both({
    id,
    requirement,
    level,
    check: async (server, use) => {
      const offer = await server.offer(use);
      const changed = change(offer, use);
      must(changed !== offer, 'the client’s offer has nothing to change for this row');
      refused((await post(server, use, changed)).status, [400, 406, 422]);
    },
  });

export const postRows: Row[] = [
  ...both({
    id: 'P1',
    requirement: 'a POST of an application/sdp offer is answered 201 (RFC 9725 section 4.2)',
    level: 'MUST',
    check: async (server, use) => {
      must((await server.open(use)).status === 201, 'not 201');
    },
  }),
  ...both({
    id: 'P2',
    requirement: 'the 201 is application/sdp with an SDP answer',
    level: 'MUST',
    check: async (server, use) => {
      const { headers, body } = await server.open(use);
      must(mediaType(headers) === 'application/sdp', `Content-Type is ${headers.get('content-type')}`);
      must(sdpTransform.parse(body).media.length > 0, 'the answer has no media section');
    },
  }),
  ...both({
    id: 'P3',
    requirement: 'the 201 has a Location that is an absolute URL (OBS resolves relative ones wrongly)',
    level: 'MUST',
    check: async (server, use) => {
      const location = (await server.open(use)).headers.get('location') ?? '';
      must(/^https?:\/\//.test(location), `Location is ${location || 'missing'}`);
    },
  }),
  ...both({
    id: 'P4',
    requirement: 'the 201 has a strong, quoted ETag (section 4.3.1)',
    level: 'MUST',
    check: async (server, use) => {
      const { etag } = await server.open(use);
      must(/^"[^"]+"$/.test(etag), `ETag is ${etag || 'missing'}`);
    },
  }),
  ...both({
    id: 'P5',
    requirement: 'another Content-Type is refused with 415',
    level: 'MUST',
    check: async (server, use) => {
      const offer = await server.offer(use);
      refused((await post(server, use, offer, { 'content-type': 'application/json' })).status, [415]);
    },
  }),
  ...both({
    id: 'P6',
    requirement: 'a body that is not SDP, or none, is refused with 400',
    level: 'MUST',
    check: async (server, use) => {
      for (const body of ['hello', '']) refused((await post(server, use, body)).status, [400]);
    },
  }),
  ...both({
    id: 'P7',
    requirement: 'Content-Type is read as RFC 9110 says: any case, parameters allowed',
    level: 'interop',
    check: async (server, use) => {
      const offer = await server.offer(use);
      const answer = await post(server, use, offer, { 'content-type': 'Application/SDP; charset=utf-8' });
      must(answer.status === 201, `answered ${answer.status}`);
      await server.send(answer.headers.get('location') ?? '', { method: 'DELETE' });
    },
  }),
  ...both({
    id: 'P8',
    requirement:
      'the answer holds all of the server’s candidates, and says that there are no more (section 4.3.2)',
    level: 'MUST',
    check: async (server, use) => {
      const { body } = await server.open(use);
      must(/^a=candidate:/m.test(body), 'there is no a=candidate');
      must(/^a=end-of-candidates/m.test(body), 'there is no a=end-of-candidates');
    },
  }),
  ...both({
    id: 'P9',
    requirement: 'the answer is recvonly to a publisher, sendonly to a player',
    level: 'MUST',
    check: async (server, use) => {
      const wanted = use === 'whip' ? 'recvonly' : 'sendonly';
      const { media } = sdpTransform.parse((await server.open(use)).body);
      const others = media
        .map(({ direction }) => direction)
        .filter((is) => is !== wanted && is !== 'inactive');
      must(others.length === 0, `a section is ${others[0]}`);
    },
  }),
  ...refusing('P10', 'an offer in the opposite direction is refused', 'MUST', (offer, use) =>
    use === 'whip'
      ? offer.replaceAll('a=sendonly', 'a=recvonly')
      : offer.replaceAll('a=recvonly', 'a=sendonly'),
  ),
  ...both({
    id: 'P11',
    requirement: 'the answer bundles everything, with rtcp-mux only (section 4.4.1)',
    level: 'MUST',
    check: async (server, use) => {
      const { groups = [], media } = sdpTransform.parse((await server.open(use)).body);
      const bundled = String(groups.find(({ type }) => type === 'BUNDLE')?.mids ?? '').split(' ');
      must(
        media.every(({ mid }) => bundled.includes(String(mid))),
        'a section is outside the bundle',
      );
      must(
        media.every(({ rtcpMux }) => rtcpMux !== undefined),
        'a section lacks a=rtcp-mux',
      );
    },
  }),
  ...refusing('P12', 'more than one video section is refused', 'MUST', (offer) =>
    offer.replace('m=audio', 'm=video'),
  ),
  {
    id: 'P12b',
    requirement: 'tracks of different MediaStreams are refused (section 4.4.2)',
    level: 'MUST',
    check: async (server) => {
      const offer = (await server.offer('whip')).replace(/a=msid:\S+/g, 'a=msid:one');
      const changed = offer.replace(/(a=msid:one.*?)a=msid:one/s, '$1a=msid:two');
      must(changed !== offer, 'the client’s offer has no two a=msid lines');
      refused((await post(server, 'whip', changed)).status, [400, 422]);
    },
  },
  ...refusing('P13', 'an offer of which nothing can be used is refused whole', 'SHOULD', (offer) =>
    offer.replace(/(VP8|VP9|AV1|H264|H265)\/90000/g, 'H261/90000'),
  ),
  ...both({
    id: 'P14',
    requirement: 'a=setup:actpass is answered active or passive',
    level: 'SHOULD',
    check: async (server, use) => {
      const { body } = await server.open(use);
      must(/^a=setup:(active|passive)\r?$/m.test(body), 'the answer’s a=setup is neither active nor passive');
      must(!/^a=setup:actpass/m.test(body), 'the answer says a=setup:actpass, which browsers refuse');
    },
  }),
  ...both({
    id: 'P16',
    requirement: 'errors are problem details (RFC 9457)',
    level: 'MAY',
    check: async (server, use) => {
      const { headers } = await post(server, use, 'hello');
      must(
        mediaType(headers) === 'application/problem+json',
        `Content-Type is ${headers.get('content-type')}`,
      );
    },
  }),
  {
    id: 'P17',
    requirement: 'without a token: 401 with WWW-Authenticate: Bearer (section 4.8)',
    level: 'MUST',
    check: async (server) => {
      if (server.token === undefined) throw new Skipped('the server under test wants no token');
      const offer = await server.offer('whip');
      const answer = await server.send(server.whip, {
        method: 'POST',
        headers: SDP,
        body: offer,
        authorized: false,
      });
      refused(answer.status, [401]);
      must(
        /^Bearer\b/i.test(answer.headers.get('www-authenticate') ?? ''),
        'there is no WWW-Authenticate: Bearer',
      );
    },
  },
  ...both({
    id: 'P18',
    requirement: 'a CORS preflight succeeds without credentials',
    level: 'MUST',
    check: async (server, use) => {
      const headers = { origin: 'https://player.example', 'access-control-request-method': 'POST' };
      const { status } = await server.send(server[use], { method: 'OPTIONS', headers, authorized: false });
      must(status >= 200 && status < 300, `answered ${status}`);
    },
  }),
  {
    id: 'P23',
    requirement: 'playing a stream that is not live: 409 with Retry-After, where the server needs it live',
    level: 'MUST',
    check: async (server) => {
      const url = server.whep.replace(/[^/]+$/, `not-live-${Date.now()}`);
      const offer = await server.offer('whep');
      const { status, headers } = await server.send(url, { method: 'POST', headers: SDP, body: offer });
      if (status === 201) throw new Skipped('the server lets players wait for a stream');
      must(status === 409, `answered ${status}`);
      must(/^\d+$/.test(headers.get('retry-after') ?? ''), 'there is no Retry-After in seconds');
    },
  },
];

const mediaType = (headers: Headers): string | undefined =>
  headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
