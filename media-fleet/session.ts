// What WHIP and WHEP sessions share: a transport, an entity tag for its ICE session, and every way that it can end.

import { randomBytes, randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { WebRtcTransport } from 'mediasoup/types';
import { Problem } from '#routing/problem.ts';
import { readFragment, writeFragment } from './sdp/fragment.ts';
import { type Offer, taggedSection } from './sdp/offer.ts';

/** Why a session ended. */
export type SessionEnd =
  | 'deleted'
  | 'never-connected'
  | 'peer-gone'
  | 'superseded'
  | 'stream-ended'
  | 'codec-changed'
  /** It could not be set up, or its media worker died. */
  | 'failed'
  | 'node-closing';

export interface SessionOptions {
  transport: WebRtcTransport;
  /** The client's own description; undefined while we wait for its answer to our counter-offer. */
  remote: RemoteDescription | undefined;
  /** Milliseconds from now to connected DTLS. */
  connectWithin: number;
}

/** What a session must know of a client's offer or answer. */
export type RemoteDescription = Pick<Offer, 'ice' | 'media' | 'data'>;

/** A session; `close` is idempotent, and `end` is emitted once, whoever ended it. */
export class Session extends EventEmitter<{ connected: []; end: [SessionEnd] }> {
  readonly id = randomUUID();
  readonly transport: WebRtcTransport;
  readonly #connectTimer: NodeJS.Timeout;
  #remoteUsernameFragment: string | undefined;
  /** The section that carries the bundle's candidates. */
  #tagged: { kind: string; mid: string } = { kind: 'audio', mid: '0' };
  #etag = newEtag();
  #connected = false;
  #ended = false;

  constructor({ transport, remote, connectWithin }: SessionOptions) {
    super();
    this.transport = transport;
    if (remote) this.learn(remote);
    this.#connectTimer = setTimeout(() => this.close('never-connected'), connectWithin);
    transport.on('dtlsstatechange', (state) => {
      if (state === 'connected' && !this.#connected) {
        this.#connected = true;
        clearTimeout(this.#connectTimer);
        this.emit('connected');
      } else if (state === 'failed' || state === 'closed') {
        this.close(this.#connected ? 'peer-gone' : 'never-connected');
      }
    });
    transport.on('icestatechange', (state) => {
      // ICE lite: consent (RFC 7675) is the peer's checks going on; mediasoup says so when they stop.
      if (state === 'disconnected' && this.#connected) this.close('peer-gone');
    });
    transport.observer.once('close', () => this.close('failed'));
  }

  get etag(): string {
    return this.#etag;
  }

  get connected(): boolean {
    return this.#connected;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /**
   * A PATCH: more candidates, or an ICE restart (RFC 9725 section 4.3).
   * @returns undefined when candidates were taken, else the restart's answer.
   * @throws Problem 412 when `ifMatch` is not this ICE session's tag.
   */
  async patch(fragment: string, ifMatch: string): Promise<{ fragment: string; etag: string } | undefined> {
    const { usernameFragment } = readFragment(fragment);
    // RFC 9110's wildcard is a bare `*`; RFC 9725's own example quotes it.
    const any = ifMatch === '*' || ifMatch === '"*"';
    if (!any && ifMatch !== this.#etag) {
      throw new Problem(412, 'wrong-entity-tag', 'If-Match is not the entity tag of the current ICE session');
    }
    if (!any && usernameFragment === this.#remoteUsernameFragment) return undefined;
    // From now on: whoever comes while the worker restarts ICE knows an ICE session that is over.
    const etag = newEtag();
    this.#etag = etag;
    this.#remoteUsernameFragment = usernameFragment;
    await this.transport.restartIce();
    if (this.#etag !== etag)
      throw new Problem(412, 'wrong-entity-tag', 'another restart came before this one was done');
    return { fragment: writeFragment(this.transport, this.#tagged.kind, this.#tagged.mid), etag };
  }

  /** Takes in what the client says of its end. */
  protected learn(remote: RemoteDescription): void {
    this.#remoteUsernameFragment = remote.ice.usernameFragment;
    this.#tagged = taggedSection(remote) ?? this.#tagged;
  }

  close(end: SessionEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#connectTimer);
    this.transport.close();
    this.emit('end', end);
  }
}

const newEtag = (): string => `"${randomBytes(12).toString('base64url')}"`;
