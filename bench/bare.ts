// The floor: a bare mediasoup router behind the least of WHIP and WHEP, one worker, no cascade, no admission, no state.
// A program of its own, so that its processes can be counted: it prints its endpoints as one line of JSON.

import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { createWorker } from 'mediasoup';
import type { Producer, WebRtcTransport } from 'mediasoup/types';
import { HUB_CODECS } from '#media-fleet/codecs.ts';
import { publish } from '#media-fleet/publication.ts';
import { writeAnswer } from '#media-fleet/sdp/answer.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import { planViewing, viewedSections } from '#media-fleet/viewer.ts';
import { SOCKET_BUFFER } from '#media-fleet/workers.ts';
import { Problem } from '#routing/problem.ts';

const ADDRESS = '127.0.0.1';

/** As MERIDIAN_ICE_CONSENT_MS has it, in seconds. */
const ICE_CONSENT = 10;

const worker = await createWorker({ logLevel: 'warn' });
worker.once('died', (error) => {
  throw error;
});
const webRtcServer = await worker.createWebRtcServer({
  listenInfos: [
    // As a node's: with Linux's own a busy worker loses reports, and at 400 viewers sessions.
    { protocol: 'udp', ip: ADDRESS, sendBufferSize: SOCKET_BUFFER, recvBufferSize: SOCKET_BUFFER },
    { protocol: 'tcp', ip: ADDRESS },
  ],
});
const router = await worker.createRouter({ mediaCodecs: HUB_CODECS });
const sessions = new Map<string, WebRtcTransport>();
let tracks: readonly Producer[] = [];

const newTransport = () =>
  router.createWebRtcTransport({
    webRtcServer,
    enableUdp: true,
    enableTcp: true,
    preferUdp: true,
    iceConsentTimeout: ICE_CONSENT,
  });

/** A session with this transport. @returns its path. */
function open(transport: WebRtcTransport): string {
  const id = randomUUID();
  sessions.set(id, transport);
  transport.observer.once('close', () => sessions.delete(id));
  transport.on('icestatechange', (state) => {
    if (state === 'disconnected') transport.close();
  });
  transport.on('dtlsstatechange', (state) => {
    if (state === 'failed' || state === 'closed') transport.close();
  });
  return `/session/${id}`;
}

interface Answer {
  status: number;
  body: string;
  location?: string;
}

async function whip(body: string): Promise<Answer> {
  const transport = await newTransport();
  const { producers, answer } = await publish(readOffer(body), transport, router);
  tracks = producers;
  return { status: 201, body: answer, location: open(transport) };
}

async function whep(body: string): Promise<Answer> {
  if (tracks.every(({ closed }) => closed)) throw new Problem(409, 'stream-not-live', 'nobody publishes');
  const offer = readOffer(body);
  const plan = planViewing(offer, tracks, router, 'bare');
  const transport = await newTransport();
  await Promise.all([
    transport.connect({ dtlsParameters: offer.dtls }),
    ...viewedSections(plan, router.rtpCapabilities).map(({ kind, mid, capabilities }) => {
      const producerId = tracks.find((track) => track.kind === kind)?.id ?? '';
      return transport.consume({
        producerId,
        rtpCapabilities: capabilities,
        mid,
        enableRtx: kind === 'video',
      });
    }),
  ]);
  return { status: 201, body: writeAnswer(offer, transport, plan.media), location: open(transport) };
}

async function answer(request: IncomingMessage): Promise<Answer> {
  const body = await text(request);
  if (request.method === 'POST' && request.url === '/whip') return whip(body);
  if (request.method === 'POST' && request.url === '/whep') return whep(body);
  const transport = sessions.get(request.url?.split('/').at(-1) ?? '');
  if (request.method !== 'DELETE' || transport === undefined) return { status: 404, body: '' };
  transport.close();
  return { status: 200, body: '' };
}

const server = createServer((request, response) => {
  answer(request)
    .catch((error: unknown): Answer => {
      if (error instanceof Problem) return { status: error.status, body: error.message };
      process.stderr.write(`bare: ${String(error)}\n`);
      return { status: 500, body: String(error) };
    })
    .then(({ status, body, location }) => {
      response.writeHead(status, {
        ...(status === 201 ? { 'content-type': 'application/sdp' } : {}),
        ...(location === undefined ? {} : { location }),
        'content-length': Buffer.byteLength(body),
      });
      response.end(body);
    });
});
server.listen(0, ADDRESS, () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const base = `http://${ADDRESS}:${address.port}`;
  process.stdout.write(`${JSON.stringify({ whip: `${base}/whip`, whep: `${base}/whep` })}\n`);
});

const stop = () => {
  worker.close();
  process.exit();
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
// Whoever started us holds the other end.
process.stdin.resume().once('close', stop);
