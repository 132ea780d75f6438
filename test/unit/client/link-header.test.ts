import { expect, test } from 'vitest';
import { iceServers, readLinks } from '#client/link-header.js';
import { iceLinks } from '#routing/ice-servers.ts';

test('reads every ICE server that our own API writes', () => {
  const written = iceLinks(
    [
      { url: 'stun:stun.example.com:3478' },
      { url: 'turns:t.example.com:443?transport=tcp', secret: 'x'.repeat(16) },
    ],
    'abc',
    1_000_000,
  );
  expect(iceServers(readLinks(written.join(', ')))).toEqual([
    { urls: 'stun:stun.example.com:3478' },
    {
      urls: 'turns:t.example.com:443?transport=tcp',
      username: '87400:abc',
      credential: expect.stringMatching(/^.{28}$/),
    },
  ]);
});

test('tells extensions apart, with commas in quotes and relative targets', () => {
  const header =
    '<stun:s.example>; rel=ice-server, </s/1/events>; rel="urn:a urn:b"; events="active,inactive,reconnect"; note="a \\"b\\""; note=second';
  const [, events] = readLinks(header, 'https://media.example/whep/x');
  expect(events).toEqual({
    target: 'https://media.example/s/1/events',
    rel: ['urn:a', 'urn:b'],
    parameters: { rel: 'urn:a urn:b', events: 'active,inactive,reconnect', note: 'a "b"' },
  });
});

test.each([
  [null],
  [''],
  ['rubbish'],
  ['<not a url>; rel="x"'],
  ['<https://a.example'],
  [','.repeat(10_000)],
])('of %j there is nothing to read', (header) => {
  expect(readLinks(header)).toEqual([]);
});
