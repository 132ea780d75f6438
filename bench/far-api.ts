// A region's API as it is from far away: bytes to and from it come late, a new connection's first ones later still.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Round trips before the first byte of a request on a new connection: TCP's (RFC 9293) and TLS 1.3's (RFC 8446). */
const HANDSHAKES = 2;

export interface FarApi {
  url: string;
  close(): void;
}

export interface FarApiOptions {
  /** The region's own, by plain HTTP. */
  api: string;
  /** Where it listens. */
  host: string;
  /** ms. */
  roundTrip: number;
}

export async function farApi({ api, host, roundTrip }: FarApiOptions): Promise<FarApi> {
  const { hostname, port } = new URL(api);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) });
    late(near, far, roundTrip / 2, HANDSHAKES * roundTrip);
    late(far, near, roundTrip / 2, 0);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      // The other end learns of it by the end of its own.
      socket.on('error', () => socket.destroy());
    }
  });
  server.listen(0, host);
  await once(server, 'listening');
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('the far API has no port');
  return {
    url: `http://${host}:${address.port}`,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Passes on what comes, in its order, `delay` ms late; the first `more` ms later. */
function late(from: Socket, to: Socket, delay: number, more: number): void {
  const opened = performance.now();
  const due = () => Math.max(delay, more + delay - (performance.now() - opened));
  from.on('data', (bytes) => setTimeout(() => to.writable && to.write(bytes), due()));
  from.once('end', () => setTimeout(() => to.end(), due()));
  from.once('close', () => setTimeout(() => to.destroy(), due() + delay));
}
