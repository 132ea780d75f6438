// Listening on a port, with an error that says which one is taken and how to choose another.

import type { AddressInfo, Server } from 'node:net';

/** RFC 9293 section 3.1: 16 bits. */
const MAX_PORT = 65_535;

export interface ListenOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  /** For the error: what wants the port. */
  what: string;
  /** For the error: the command-line option that chooses it, or '' where none does. */
  option: string;
}

/**
 * @returns the port.
 * @throws Error that names the port and the option when it cannot be had.
 */
export async function listen(server: Server, { host, port, what, option }: ListenOptions): Promise<number> {
  if (port > MAX_PORT) {
    const from = option === '' ? '' : `; choose a lower one with ${option}`;
    throw new Error(`${what} cannot listen on ${host}:${port}: ports end at ${MAX_PORT}${from}`);
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  try {
    server.listen(port, host, resolve);
    await promise;
  } catch (error) {
    throw portError(error, { host, port, what, option });
  }
  server.off('error', reject);
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error(`${what} does not listen on a port`);
  return address.port;
}

export function portError(error: unknown, { host, port, what, option }: ListenOptions): Error {
  const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  const why = taken ? 'the port is taken' : error instanceof Error ? error.message : String(error);
  const help = option === '' ? '' : `; choose another with ${option}`;
  return new Error(`${what} cannot listen on ${host}:${port}: ${why}${help}`, { cause: error });
}
