import wrtc from '@roamhq/wrtc';
import { afterEach, expect, test, vi } from 'vitest';
import { useIceServers } from '#client/ice-servers.js';
import { iceServers, readLinks } from '#client/link-header.js';

const peer = new wrtc.RTCPeerConnection();
afterEach(() => {
  peer.close();
  vi.restoreAllMocks();
});

test('goes on without the servers that libwebrtc refuses, and says which', () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue();
  const header = [
    '<stun:a.example>; rel="ice-server"',
    '<turn:bare.example>; rel="ice-server"',
    '<https://none.example>; rel="ice-server"',
    '<turn:b.example>; rel="ice-server"; username="u"; credential="c"',
  ].join(', ');
  useIceServers(peer, iceServers(readLinks(header)));
  expect(peer.getConfiguration().iceServers).toMatchObject([
    { urls: 'stun:a.example' },
    { urls: 'turn:b.example', username: 'u', credential: 'c' },
  ]);
  expect(warn.mock.calls.flat()).toEqual([
    expect.stringContaining('turn:bare.example'),
    expect.stringContaining('https://none.example'),
  ]);
});
