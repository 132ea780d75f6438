// The server under test as rows see it: requests with the token, sessions that end with their row, a live stream.

import { offerToReceive, offerToSend, Publisher, Viewer } from '#test/media/libwebrtc.ts';
import {
  type Answer,
  type Request,
  type Server,
  type Session,
  Skipped,
  type Target,
  type Use,
} from './row.ts';

/** Milliseconds for any one answer. */
const DEADLINE = 15_000;

export class ServerUnderTest implements Server {
  readonly whip: string;
  readonly whep: string;
  readonly token: string | undefined;
  readonly flood: number | undefined;
  #publisher: Promise<Publisher> | undefined;
  #sessions: string[] = [];

  constructor({ whip, whep, token, flood }: Target) {
    this.whip = whip;
    this.whep = whep;
    this.token = token;
    this.flood = flood;
  }

  async offer(use: Use): Promise<string> {
    if (use === 'whip') return offerToSend();
    await this.live();
    return offerToReceive();
  }

  async send(url: string, { method, headers = {}, body, authorized = true }: Request): Promise<Answer> {
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(authorized && this.token ? { authorization: `Bearer ${this.token}` } : {}) },
      redirect: 'manual',
      signal: AbortSignal.timeout(DEADLINE),
      // Bytes, so that no Content-Type is made up.
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
    });
    return { status: response.status, headers: response.headers, body: await response.text() };
  }

  async open(use: Use): Promise<Session> {
    const offer = await this.offer(use);
    const headers = { 'content-type': 'application/sdp' };
    const answer = await this.send(this[use], { method: 'POST', headers, body: offer });
    if (answer.status !== 201) throw new Skipped(`no session: the POST was answered ${answer.status}`);
    const url = new URL(answer.headers.get('location') ?? '', this[use]).href;
    this.#sessions.push(url);
    return { ...answer, url, etag: answer.headers.get('etag') ?? '', offer };
  }

  async live(): Promise<void> {
    this.#publisher ??= this.#publish();
    await this.#publisher;
  }

  /** Ends what the last row opened. */
  async endSessions(): Promise<void> {
    const ended = this.#sessions
      .splice(0)
      .map((url) => this.send(url, { method: 'DELETE' }).catch(() => undefined));
    await Promise.all(ended);
  }

  async close(): Promise<void> {
    await this.endSessions();
    await (await this.#publisher)?.stop();
  }

  async #publish(): Promise<Publisher> {
    const publisher = await Publisher.start({ url: this.whip, token: this.token ?? '' });
    // Until it can be played: servers differ in how soon that is.
    const deadline = performance.now() + DEADLINE;
    for (;;) {
      try {
        const viewer = await Viewer.start({ url: this.whep, ...(this.token ? { token: this.token } : {}) });
        await viewer.watch(1);
        await viewer.stop();
        return publisher;
      } catch (error) {
        if (performance.now() > deadline) throw new Skipped(`the stream cannot be played: ${String(error)}`);
      }
    }
  }
}
