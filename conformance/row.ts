// What a row of the conformance suite is, and what it is given.

/** The kind of endpoint that a row is about. */
export type Use = 'whip' | 'whep';

export interface Target {
  /** The WHIP endpoint of a stream that may be published. */
  whip: string;
  /** The WHEP endpoint of the same stream. */
  whep: string;
  /** A token for both; undefined where the server wants none. */
  token: string | undefined;
  /** How many requests a flood may have; undefined: there is none. */
  flood?: number | undefined;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

/** What rows do with the server under test. */
export interface Server extends Target {
  /** An offer of a real client that fits the endpoint: a publisher's for WHIP, a player's for WHEP. */
  offer(use: Use): Promise<string>;
  /** One HTTP request, with the token unless told otherwise. Redirects are not followed. */
  send(url: string, request: Request): Promise<Answer>;
  /** POSTs a good offer and remembers the session, which is ended after the row. @throws Skipped when there is no 201. */
  open(use: Use): Promise<Session>;
  /** Resolves when a real publisher's media is connected and the stream can be played. */
  live(): Promise<void>;
}

export interface Request {
  method: string;
  headers?: Record<string, string>;
  body?: string;
  /** False: without the token. */
  authorized?: boolean;
}

export interface Session extends Answer {
  url: string;
  etag: string;
  offer: string;
}

export interface Row {
  /** As `P3`; with the endpoint's kind where both are tested: `P3 whip`. */
  id: string;
  /** The requirement and where it stands. */
  requirement: string;
  level: 'MUST' | 'SHOULD' | 'MAY' | 'interop';
  /** Resolves when it is met. @throws Failed with why not, {@link Skipped} when it cannot be told. */
  check(server: Server): Promise<void>;
}

export class Failed extends Error {}
export class Skipped extends Error {}

/** @throws Failed with the sentence unless the condition holds. */
export function must(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Failed(otherwise);
}

/** The same row for both kinds of endpoint. */
export const both = (
  row: Omit<Row, 'check'> & { check: (server: Server, use: Use) => Promise<void> },
): Row[] =>
  (['whip', 'whep'] as const).map((use) => ({
    ...row,
    id: `${row.id} ${use}`,
    check: (server) => row.check(server, use),
  }));
