// The local stand-in for Route 53 latency records: an authoritative DNS server, UDP and TCP on one port.

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { answerMessage, serverFailure } from './message.ts';
import { type DnsRegion, parentOf } from './zone.ts';

/** An idle TCP connection is closed after 10 s (RFC 7766 §6.2.3 asks for a few seconds). */
const TCP_IDLE_MS = 10_000;
/** How often to look for a port that is free for both UDP and TCP, when any will do. */
const EPHEMERAL_ATTEMPTS = 10;

export interface DnsServerOptions {
  /** The IP address to listen on. */
  host: string;
  /** 0 takes any port that is free. */
  port: number;
  /** The name that all regions share: `live.meridian.test`. Its parent, `meridian.test`, is the zone. */
  globalName: string;
  /** The regions as they are now: read anew for every query, so that health may change at any time. */
  regions: () => readonly DnsRegion[];
  /** What the operator should see: a line at a time. */
  log: (line: string) => void;
  /**
   * Seconds that answers may be cached. The default, 60, is what Route 53 gives for an alias to a load balancer, where
   * it cannot be set ("60 seconds (the TTL for load balancers)": Route 53 API reference, ResourceRecordSet, TTL); taken
   * to hold for an alias to API Gateway, too.
   */
  ttl?: number;
}

export interface DnsServer {
  readonly port: number;
  /** Drops open connections and frees the port. May be called again. */
  close(): Promise<void>;
}

/**
 * Starts the server; `resolve` in `zone.ts` says what it answers. Clients are placed by EDNS client subnet, or by
 * their source address (`client-subnets.ts`); a client in no known subnet is treated as being at the first region.
 *
 * @throws Error that names the address and port when it cannot listen there; its `cause` has the system's code, such
 *   as EADDRINUSE.
 * @throws Error when the global name has no parent zone.
 */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { host, globalName, regions, log, ttl = 60 } = options;
  if (parentOf(globalName) === globalName)
    throw new Error(`DNS: "${globalName}" has no parent to be its zone`);

  function respond(query: Buffer, source: string, transport: 'udp' | 'tcp'): Buffer | undefined {
    try {
      return answerMessage(query, source, transport, { globalName, regions: regions(), ttl });
    } catch (error) {
      log(`DNS: a query from ${source} failed: ${error}`);
      return serverFailure(query);
    }
  }

  const { udp, tcp } = await listen(host, options.port);
  const connections = new Set<Socket>();
  udp.on('error', (error) => log(`DNS: ${error}`));
  tcp.on('error', (error) => log(`DNS: ${error}`));
  udp.on('message', (query, from) => {
    const response = respond(query, from.address, 'udp');
    // The callback takes the error of one packet, such as a client that is gone: nothing to do.
    if (response) udp.send(response, from.port, from.address, () => {});
  });
  tcp.on('connection', (socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    serveConnection(socket, (query) => respond(query, socket.remoteAddress ?? '', 'tcp'));
  });

  async function shut(): Promise<void> {
    for (const socket of connections) socket.destroy();
    await closeBoth(udp, tcp);
  }
  let closing: Promise<void> | undefined;
  return {
    port: udp.address().port,
    close() {
      closing ??= shut();
      return closing;
    },
  };
}

/** Binds both, UDP first; with port 0 TCP must get what UDP got, so that it may take more than one attempt. */
async function listen(host: string, port: number): Promise<{ udp: UdpSocket; tcp: Server }> {
  for (let attempt = 1; ; attempt++) {
    const udp = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    const tcp = createServer();
    try {
      udp.bind(port, host);
      await once(udp, 'listening');
      tcp.listen(udp.address().port, host);
      await once(tcp, 'listening');
      return { udp, tcp };
    } catch (cause) {
      await closeBoth(udp, tcp);
      const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
      if (port === 0 && code === 'EADDRINUSE' && attempt < EPHEMERAL_ATTEMPTS) continue;
      const where = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
      const why = code === 'EADDRINUSE' ? 'the port is already in use' : String(cause);
      throw new Error(`DNS: cannot listen on ${where}: ${why}`, { cause });
    }
  }
}

/** Over TCP every message follows its length in two octets, and a client may send many (RFC 7766). */
function serveConnection(socket: Socket, respond: (query: Buffer) => Buffer | undefined): void {
  let received: Buffer = Buffer.alloc(0);
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    while (received.length >= 2) {
      const end = 2 + received.readUInt16BE(0);
      if (received.length < end) return;
      const response = respond(received.subarray(2, end));
      received = received.subarray(end);
      if (response === undefined) return void socket.destroy();
      const length = Buffer.alloc(2);
      length.writeUInt16BE(response.length);
      socket.write(Buffer.concat([length, response]));
    }
  });
}

/** Closing what never came to listen is no error here. */
async function closeBoth(udp: UdpSocket, tcp: Server): Promise<void> {
  await Promise.all([
    new Promise<void>((closed) => udp.close(() => closed())),
    new Promise<void>((closed) => tcp.close(() => closed())),
  ]);
}
