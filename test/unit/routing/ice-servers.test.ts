// ICE servers as Link headers: quoting, and TURN credentials that a coturn with the same secret accepts.

import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { iceLinks, iceServers } from '#routing/ice-servers.ts';

it('gives STUN servers without credentials', () => {
  expect(iceLinks([{ url: 'stun:stun.example.com' }], 'x', 0)).toEqual([
    '<stun:stun.example.com>; rel="ice-server"',
  ]);
});

it('gives TURN servers a name that expires in a day and the HMAC of it', () => {
  const [link = ''] = iceLinks(
    [{ url: 'turn:turn.example.com?transport=udp', secret: 'a shared secret!' }],
    'session',
    1_000_000,
  );
  const fields =
    /^<(?<url>[^>]+)>; rel="ice-server"; username="(?<username>[^"]+)"; credential="(?<credential>[^"]+)"; credential-type="password"$/.exec(
      link,
    )?.groups;
  expect(fields).toEqual({
    url: 'turn:turn.example.com?transport=udp',
    username: '87400:session',
    credential: createHmac('sha1', 'a shared secret!').update('87400:session').digest('base64'),
  });
});

it.each(['https://example.com', 'turn:a b', 'stun:<x>'])('refuses %s', (url) => {
  expect(iceServers.safeParse([{ url }]).success).toBe(false);
});
