// A connection's ICE restarts: two of libwebrtc's peers that never connect, and a server that answers.

import { once } from 'node:events';
import { createServer } from 'node:http';
import wrtc from '@roamhq/wrtc';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Connection } from '#client/connection.js';
import { Session } from '#client/session.js';
import { listen } from '#local/listen.ts';

const FRAGMENT = ['a=ice-ufrag:abcd', `a=ice-pwd:${'p'.repeat(24)}`, 'a=end-of-candidates', ''].join('\r\n');

/** Told of each restart that the server has answered. */
let onRestart = () => {};
let answer = '';
const server = createServer((request, response) => {
  if (request.method === 'POST') {
    response.writeHead(201, { location: '/s', etag: '"1"' }).end(answer);
  } else {
    response.writeHead(200, { etag: '"2"' }).end(request.method === 'PATCH' ? FRAGMENT : '');
    if (request.method === 'PATCH') onRestart();
  }
});

let url = '';
const page = new EventTarget();
beforeEach(async () => {
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  const host = '127.0.0.1';
  url = `http://${host}:${await listen(server, { host, port: 0, what: 'the server', option: '' })}`;
});
afterEach(async () => {
  vi.unstubAllGlobals();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

/** The answer of one who is nowhere. */
async function answerTo(offer: string): Promise<string> {
  const nowhere = new wrtc.RTCPeerConnection();
  await nowhere.setRemoteDescription({ type: 'offer', sdp: offer });
  const { sdp = '' } = await nowhere.createAnswer();
  nowhere.close();
  return sdp.replace('a=group:', 'a=ice-lite\r\na=group:');
}

async function connect() {
  const peer = new wrtc.RTCPeerConnection();
  peer.addTransceiver('video', { direction: 'recvonly' });
  await peer.setLocalDescription(await peer.createOffer());
  const offer = peer.localDescription?.sdp ?? '';
  answer = await answerTo(offer);
  const { signal } = new AbortController();
  const session = await Session.open({ url, token: undefined, offer, signal });
  await peer.setRemoteDescription({ type: 'answer', sdp: session.description.sdp ?? '' });
  return {
    peer,
    connection: new Connection({ peer, session, direction: 'inbound-rtp', statsInterval: 1_000 }),
  };
}

test('a network that changes while an answered restart is waited for begins it anew', async () => {
  const { peer, connection } = await connect();
  const restarted = () =>
    new Promise<void>((resolve) => {
      onRestart = resolve;
    });
  const first = restarted();
  page.dispatchEvent(new Event('online'));
  await first;
  if (peer.signalingState !== 'stable') await once(peer, 'signalingstatechange');
  const second = restarted();
  page.dispatchEvent(new Event('online'));
  expect(await Promise.race([second.then(() => 'restarted'), connection.ended])).toBe('restarted');
  await connection.close();
  expect(await connection.ended).toBe('closed');
});
