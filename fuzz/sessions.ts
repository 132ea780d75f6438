// Sessions that the fuzzer opens: each is checked, must live until it is ended, and is ended.

import type { OutgoingHttpHeaders } from 'node:http';
import { check, checkOpened } from './answers.ts';
import type { Answer, Ask } from './client.ts';
import type { Scene, Use } from './scene.ts';

/** What a POST of anything with a good token may come to. */
export const POSTED = [201, 400, 406, 413, 422] as const;
/** What a PATCH of anything on a session that is there may come to. */
export const PATCHED = [200, 204, 400, 409, 412, 413, 415, 422, 428] as const;

export const SDP = { 'content-type': 'application/sdp' };
export const FRAGMENT = { 'content-type': 'application/trickle-ice-sdpfrag' };

export interface Opening {
  entry: Ask['entry'];
  use: Use;
  region: number;
  stream: string;
  offer: string | Buffer;
  counterOffer?: boolean;
  headers?: OutgoingHttpHeaders;
  statuses: readonly number[];
}

/** A session of the fuzzer's. */
export class FuzzSession {
  readonly #scene: Scene;
  readonly #ask: Ask;
  readonly location: URL;
  readonly etag: string;
  readonly isCounterOffer: boolean;

  constructor(scene: Scene, ask: Ask, answer: Answer) {
    this.#scene = scene;
    this.#ask = ask;
    this.location = new URL(answer.headers.location ?? '');
    this.etag = answer.headers.etag ?? '';
    this.isCounterOffer = answer.status === 406;
  }

  /** What a session's own URL takes, where it was opened with a token. */
  get credentials(): OutgoingHttpHeaders {
    const { authorization } = this.#ask.headers ?? {};
    return authorization === undefined ? {} : { authorization };
  }

  /** What in its URL lets whoever knows it end the session. */
  get ticket(): string {
    return this.location.pathname.split('/').at(-1) ?? '';
  }

  /** The path of its URL, with the query. */
  get path(): string {
    return this.location.pathname + this.location.search;
  }

  async patch(
    entry: Ask['entry'],
    headers: OutgoingHttpHeaders,
    body: string | Buffer,
    statuses: readonly number[],
  ): Promise<Answer> {
    const { api } = this.#ask;
    const ask = {
      entry,
      api,
      method: 'PATCH',
      path: this.path,
      headers: { ...this.credentials, ...headers },
      body,
    };
    const answer = await this.#scene.client.send(ask);
    check(ask, answer, { statuses, secrets: [this.#scene.token, this.ticket] });
    return answer;
  }

  /** That it is there at all: a session that was answered must not be a dead one. */
  async restart(): Promise<void> {
    await this.patch(
      'valid',
      { ...FRAGMENT, 'if-match': '*' },
      'a=ice-ufrag:fuzz\r\na=ice-pwd:0123456789abcdefghijkl\r\n',
      [200],
    );
  }

  /** It was there until now, and is not after. */
  async end(): Promise<void> {
    const { api } = this.#ask;
    const ask = {
      entry: 'valid' as const,
      api,
      method: 'DELETE',
      path: this.path,
      headers: this.credentials,
    };
    check(ask, await this.#scene.client.send(ask), { statuses: [200] });
  }
}

/**
 * POSTs an offer.
 * @returns the session where one was opened.
 * @throws Error when the answer is none of those that are allowed.
 */
export async function openSession(scene: Scene, opening: Opening): Promise<FuzzSession | undefined> {
  const { entry, use, region, stream, offer, counterOffer = false, headers = {}, statuses } = opening;
  const ask: Ask = {
    entry,
    api: scene.api(region),
    method: 'POST',
    path: `/${use}/${stream}`,
    headers: {
      ...SDP,
      ...(use === 'whip' ? { authorization: `Bearer ${scene.token}` } : {}),
      ...(counterOffer ? { prefer: 'counter-offer' } : {}),
      ...headers,
    },
    body: offer,
  };
  const answer = await scene.client.send(ask);
  check(ask, answer, { statuses, secrets: [scene.token] });
  return opened(scene, ask, answer);
}

/** The session that an answer opens. @throws Error when the answer is not what a session's must be. */
export function opened(scene: Scene, ask: Ask, answer: Answer): FuzzSession | undefined {
  const isCounterOffer = answer.status === 406 && answer.headers.location !== undefined;
  if (answer.status !== 201 && !isCounterOffer) return undefined;
  const session = new FuzzSession(scene, ask, answer);
  checkOpened(ask, answer, isCounterOffer ? undefined : (ask.body ?? '').toString());
  return session;
}
