// The parent's end of a leg: a pipe out of the hub to a child node.

import { EventEmitter } from 'node:events';
import type { Consumer, PipeTransport } from 'mediasoup/types';
import type { LegAccepted, LegRequest } from '#routing/node-messages.ts';
import type { Timing } from '#routing/timing.ts';
import { legTrackOf, srtpOf } from './leg.ts';
import { Silence } from './silence.ts';
import type { FedHub } from './source.ts';
import type { Workers } from './workers.ts';

/** How long a leg outlives the news that it is superseded: DESIGN's hand-over allows two for at most 5 s. */
const RETIRED_LIFE = 5_000;

export interface ChildLegOptions {
  stream: FedHub;
  request: LegRequest;
  workers: Workers;
  timing: Timing;
}

/** Emits `usage` when the viewers below change, `close` once. */
export class ChildLeg extends EventEmitter<{ usage: []; close: [] }> {
  readonly requestId: string;
  readonly child: Pick<LegRequest, 'region' | 'nodeId' | 'incarnation' | 'epoch'>;
  readonly answer: LegAccepted;
  readonly #transport: PipeTransport;
  readonly #tracks: readonly Consumer[];
  readonly #silence: Silence;
  readonly #flowsAt: number;
  #flowing: NodeJS.Timeout | undefined;
  #viewers = 0;
  #heard = false;
  #isRetired = false;
  #closed = false;

  private constructor(
    { request, timing }: ChildLegOptions,
    transport: PipeTransport,
    answer: LegAccepted,
    tracks: readonly Consumer[],
    flowsAt: number,
  ) {
    super();
    this.#flowsAt = flowsAt;
    this.requestId = request.requestId;
    const { region, nodeId, incarnation, epoch } = request;
    this.child = { region, nodeId, incarnation, epoch };
    this.answer = answer;
    this.#transport = transport;
    this.#tracks = tracks;
    // For as long as a node may miss its heartbeats.
    this.#silence = new Silence({
      transport,
      after: timing.nodeDeadAfter,
      onSilent: () => this.close(),
    });
    transport.observer.once('close', () => this.close());
  }

  /**
   * Makes the parent's end ready and the answer that lets the child finish its own. Every track crosses with all its
   * simulcast layers, once. Media waits for the first connected viewer: a key frame that comes before would be lost,
   * and the publisher would not make another so soon; and a leg that nobody uses carries next to nothing.
   * @throws Error when the stream's source went away meanwhile.
   */
  static async open(options: ChildLegOptions): Promise<ChildLeg> {
    const { stream, request, workers } = options;
    const { source, self, generation } = stream;
    if (source === undefined) throw new Error(`${stream.name} has no source`);
    const transport = await workers.createLegTransport(stream.hub, request.region !== self.region);
    try {
      const { ip, port, srtpParameters } = request;
      const consumed = await Promise.all(
        source.tracks.map(async (track) => ({
          track,
          consumer: await transport.consume({ producerId: track.id }),
        })),
      );
      const tracks = consumed.map(({ consumer }) => consumer);
      const [pulse, incoming] = await Promise.all([
        transport.consume({ producerId: stream.pulse.producer.id }),
        transport.produce({ kind: 'audio', rtpParameters: request.pulse }),
        ...tracks.map((consumer) => consumer.pause()),
      ]);
      await transport.connect({ ip, port, srtpParameters });
      const listener = await stream.pulse.listen(incoming);
      const answer: LegAccepted = {
        v: 1,
        result: 'accepted',
        parent: self,
        origin: source.origin,
        path: [...source.path, self.nodeId],
        generation,
        ip: transport.tuple.localAddress,
        port: transport.tuple.localPort,
        srtpParameters: srtpOf(transport),
        tracks: consumed.map(({ consumer, track }) => legTrackOf(consumer, track)),
        pulse: pulse.rtpParameters,
      };
      const leg = new ChildLeg(options, transport, answer, tracks, source.flowsAt);
      listener.on('beat', ({ type, viewers }) => {
        if (type === 'bye') leg.close();
        else if (type === 'alive') leg.#beat(viewers);
      });
      return leg;
    } catch (error) {
      transport.close();
      throw error;
    }
  }

  /** Viewers at the child and below it, as it last said. */
  get viewers(): number {
    return this.#viewers;
  }

  /** Whether the child has the stream, as its first beat says: before, it can feed nobody. */
  get heard(): boolean {
    return this.#heard;
  }

  /** The child was told to go: what it does not close itself is closed for it. */
  retire(): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    const timer = setTimeout(() => this.close(), RETIRED_LIFE);
    this.once('close', () => clearTimeout(timer));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#flowing);
    this.#silence.close();
    this.#transport.close();
    this.emit('close');
  }

  #beat(viewers: number): void {
    if (this.#closed) return;
    this.#heard = true;
    this.#silence.heard();
    if (viewers === this.#viewers) return;
    if (viewers > 0 !== this.#viewers > 0) this.#letFlow(viewers > 0);
    this.#viewers = viewers;
    this.emit('usage');
  }

  /** Resuming asks for a key frame. The worker takes pauses and resumes in the order of the calls. */
  #letFlow(flow: boolean): void {
    clearTimeout(this.#flowing);
    const wait = this.#flowsAt - performance.now();
    if (flow && wait > 0) {
      this.#flowing = setTimeout(() => this.#letFlow(true), wait);
      return;
    }
    for (const consumer of this.#tracks) {
      // A consumer that went with its track has nothing to let flow.
      (flow ? consumer.resume() : consumer.pause()).catch(() => undefined);
    }
  }
}
