// A session's URL carries its node, sealed: PATCH and DELETE reach the node without a look-up, and nobody else can
// make such a URL or read an inner address from it.

import { CompactEncrypt, compactDecrypt, errors } from 'jose';
import * as z from 'zod';
import { streamName } from './names.ts';
import { nodeRecord } from './node-record.ts';
import { Problem } from './problem.ts';

const sessionTicket = nodeRecord
  .pick({ nodeId: true, incarnation: true, control: true, fingerprint: true })
  .extend({
    stream: streamName,
    use: z.enum(['whip', 'whep']),
    sessionId: z.uuid(),
    /** Whether PATCH and DELETE need the token that the POST needed. */
    protected: z.boolean(),
  });
export type SessionTicket = z.infer<typeof sessionTicket>;

const unknownSession = () =>
  new Problem(404, 'unknown-session', 'no such session: it has ended, or never was');

/** Seals and opens session tickets with a 32-byte key (AES-256-GCM, a JWE in compact form). */
export class SessionUrls {
  /** Imported once: jose would do it with every ticket. */
  readonly #key: Promise<CryptoKey>;

  /** @throws Error when the key has not 32 bytes. */
  constructor(key: Uint8Array<ArrayBuffer>) {
    if (key.length !== 32) throw new Error(`the session key has ${key.length} bytes; it must have 32`);
    this.#key = crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']);
  }

  async seal(ticket: SessionTicket): Promise<string> {
    return new CompactEncrypt(Buffer.from(JSON.stringify(ticket)))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .encrypt(await this.#key);
  }

  /** @throws Problem 404 when the ticket is not one of ours for this use and stream. */
  async open(sealed: string, { use, stream }: Pick<SessionTicket, 'use' | 'stream'>): Promise<SessionTicket> {
    try {
      const { plaintext } = await compactDecrypt(sealed, await this.#key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      const ticket = sessionTicket.parse(JSON.parse(Buffer.from(plaintext).toString()));
      if (ticket.use === use && ticket.stream === stream) return ticket;
    } catch (error) {
      // Not sealed by this key, or by another release that put something else into its tickets.
      const foreign =
        error instanceof errors.JOSEError || error instanceof z.ZodError || error instanceof SyntaxError;
      if (!foreign) throw error;
    }
    throw unknownSession();
  }
}

export { unknownSession };
