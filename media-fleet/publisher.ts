// A publisher: its session, its tracks, and its hold on the stream.

import { EventEmitter } from 'node:events';
import type { Producer } from 'mediasoup/types';
import type { OriginClaim } from '#routing/claims.ts';
import type { WhipRequest } from '#routing/node-messages.ts';
import { FlowMeter } from './flow-meter.ts';
import { OriginRole, type OriginRoleOptions } from './origin-role.ts';
import { KEY_FRAME_REQUEST_DELAY, publish } from './publication.ts';
import { readOffer } from './sdp/offer.ts';
import { SendingWatch } from './sending-watch.ts';
import { Session, type SessionEnd } from './session.ts';
import type { Source } from './source.ts';
import type { Stream } from './stream.ts';
import type { Workers } from './workers.ts';

export interface PublisherOptions
  extends Omit<
    OriginRoleOptions,
    'stream' | 'self' | 'priority' | 'tokenId' | 'takeover' | 'viewing' | 'flow' | 'silence'
  > {
  request: WhipRequest;
  stream: Stream;
  workers: Workers;
}

/** Opus sends a packet in 400 ms where nothing is heard (RFC 6716 section 2.1.9): sound alone is not silent sooner, ms. */
const QUIET_SOUND = 1_000;

/**
 * Emits `active` with what feeds the stream when this publisher is the active origin, `standby` when another is, and
 * `end` once.
 */
export class Publisher extends EventEmitter<{ active: [Source]; standby: []; end: [SessionEnd] }> {
  readonly session: Session;
  readonly #role: OriginRole;

  private constructor(
    { request, stream, ...options }: PublisherOptions,
    session: Session,
    tracks: Producer[],
  ) {
    super();
    this.session = session;
    const { priority, tokenId, takeover, viewing } = request;
    const hasVideo = tracks.some(({ kind }) => kind === 'video');
    const silence = Math.max(options.timing.publisherSilence, hasVideo ? 0 : QUIET_SOUND);
    const role = new OriginRole({
      stream: stream.name,
      self: stream.self,
      priority,
      tokenId,
      takeover,
      viewing,
      flow: new FlowMeter(tracks, silence),
      silence,
      ...options,
    });
    this.#role = role;
    const sending = new SendingWatch(tracks, options.log.child({ stream: stream.name }));
    role.on('active', (claim) => this.emit('active', publisherSource(tracks, claim, connectedAt, sending)));
    role.on('standby', () => this.emit('standby'));
    role.on('lost', () => session.close('superseded'));
    let connectedAt = 0;
    // A POST that never becomes media claims nothing.
    session.once('connected', () => {
      connectedAt = performance.now();
      sending.start();
      role.take();
    });
    session.once('end', (end) => {
      role.close();
      sending.close();
      this.emit('end', end);
    });
  }

  /** @throws Problem 400 or 422 when the offer cannot be received. */
  static async open(options: PublisherOptions): Promise<{ publisher: Publisher; answer: string }> {
    const { request, stream, workers, timing } = options;
    const offer = readOffer(request.offer);
    await stream.ready();
    const transport = await workers.createSessionTransport(stream.worker, stream.hub);
    const session = new Session({ transport, remote: offer, connectWithin: timing.connect });
    try {
      const { producers, answer } = await publish(offer, transport, stream.hub);
      return { publisher: new Publisher(options, session, producers), answer };
    } catch (error) {
      session.close('failed');
      throw error;
    }
  }

  /** Among redundant publishers the highest goes first. */
  get priority(): number {
    return this.#role.priority;
  }

  /** Told of a claim of the stream. */
  learn(told: OriginClaim): void {
    this.#role.learn(told);
  }

  /** Another publisher of this node feeds the stream now. */
  standDown(): void {
    this.#role.standDown();
  }

  /** Whether the claim is this publisher's. */
  holds(claim: OriginClaim): boolean {
    return this.#role.holds(claim);
  }

  /** @throws Problem 409 when another publisher has it. */
  setPriority(priority: number): Promise<void> {
    return this.#role.setPriority(priority);
  }
}

/**
 * Milliseconds for the nodes that come from another origin to have their legs: a key frame that one of them asked for
 * then serves them all, and whoever misses it waits for the next, {@link KEY_FRAME_REQUEST_DELAY} later.
 */
const GATHER = 150;

/**
 * A publisher's first key frame comes when it connects, and libwebrtc does not listen for a while then: a request would
 * be lost, and mediasoup makes the next a second later.
 */
const publisherSource = (
  tracks: readonly Producer[],
  { region, nodeId, epoch }: OriginClaim,
  connectedAt: number,
  sending: SendingWatch,
): Source => ({
  tracks,
  flowsAt: Math.max(connectedAt + KEY_FRAME_REQUEST_DELAY, performance.now() + GATHER),
  path: [],
  origin: { region, nodeId, epoch },
  role: 'origin',
  parent: null,
  get word() {
    // How many watch the stream counts itself.
    return { isLive: sending.isSending, total: undefined };
  },
  leg: async () => null,
});
