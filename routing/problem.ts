// What went wrong, in the form that every HTTP answer of ours takes: RFC 9457 problem details.

import * as z from 'zod';

/** Longest detail, in characters: what is said back of a request may be as long as the request. */
const MAX_DETAIL = 400;

/** One line, and not without end, whatever of a request is said back in it. */
function sentence(detail: string): string {
  const line = detail.replace(/\p{Cc}/gu, '\ufffd');
  return line.length <= MAX_DETAIL ? line : `${line.slice(0, MAX_DETAIL - 1).toWellFormed()}…`;
}

/** An answer that is an error: thrown where it is known, turned into `application/problem+json` at the edge. */
export class Problem extends Error {
  readonly status: number;
  /** Machine-readable: what kind of problem, stable across releases. */
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  /**
   * @param status HTTP status, 400 to 599.
   * @param code kebab-case kind, e.g. `stream-not-live`.
   * @param detail one sentence for a person: what was wrong, where, and what to do; cut off after {@link MAX_DETAIL}.
   */
  constructor(
    status: number,
    code: string,
    detail: string,
    headers: Readonly<Record<string, string>> = {},
    cause?: unknown,
  ) {
    super(sentence(detail), cause === undefined ? {} : { cause });
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.headers = headers;
  }

  /** The RFC 9457 body. */
  toJSON(): ProblemBody {
    return {
      type: `urn:meridian:problem:${this.code}`,
      title: this.code.replaceAll('-', ' '),
      status: this.status,
      detail: this.message,
    };
  }

  /**
   * The Problem that a remote part answered with, its body read leniently.
   * @param who for an answer that is no Problem: what gave it.
   */
  static fromBody(
    status: number,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
    who = 'the remote side',
  ): Problem {
    const parsed = problemBody.safeParse(body);
    if (!parsed.success) {
      const said = JSON.stringify(body);
      return new Problem(status, 'remote-error', `${who} answered ${status}: ${said}`, headers);
    }
    return new Problem(
      status,
      parsed.data.type.replace('urn:meridian:problem:', ''),
      parsed.data.detail,
      headers,
    );
  }
}

export const problemBody = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
});
export type ProblemBody = z.infer<typeof problemBody>;

/** `503` with `Retry-After`: try again in `seconds`. */
export const unavailable = (code: string, detail: string, seconds = 2, cause?: unknown): Problem =>
  new Problem(503, code, detail, { 'Retry-After': String(seconds) }, cause);

/** Reads a value at a boundary: a mismatch is the sender's fault and becomes a 400 that names the path. */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const first = parsed.error.issues[0];
  const where = first && first.path.length > 0 ? `${what}: ${first.path.join('.')}` : what;
  throw new Problem(400, 'invalid-request', `${where}: ${first?.message ?? 'not of the expected form'}`);
}
