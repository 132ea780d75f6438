// The child's end of a leg: a pipe from a parent node that feeds this node's hub.

import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { Consumer, PipeTransport, Producer } from 'mediasoup/types';
import type { LegAccepted, LegAnswer, LegRequest, LegTrack, StreamReport } from '#routing/node-messages.ts';
import type { Timing } from '#routing/timing.ts';
import { TrackLayers } from './layers/track-layers.ts';
import type { StreamWord } from './pulse.ts';
import { Silence } from './silence.ts';
import type { FedHub, Source } from './source.ts';
import type { Workers } from './workers.ts';

/** Why a leg ended: what the parent said, or its silence. */
export type LegEnd = 'superseded' | 'ended' | 'silent' | 'closed';

export interface LegOptions {
  stream: FedHub;
  workers: Workers;
  timing: Timing;
  crossing: boolean;
  /** The epoch of the claim that the child acts on. */
  epoch: number;
  /** Puts the request to the parent, however it is reached. */
  ask: (request: LegRequest) => Promise<LegAnswer>;
}

/** A leg, or why there is none. */
export type LegOutcome = { leg: Leg } | { refused: Exclude<LegAnswer, LegAccepted> };

/** Emits `word` when the parent says something new of the whole stream, `end` once. */
export class Leg extends EventEmitter<{ word: []; end: [LegEnd] }> implements Source {
  readonly tracks: readonly Producer[];
  /** Whoever feeds the parent waits where that is needed. */
  readonly flowsAt = 0;
  readonly path: readonly string[];
  readonly origin: Source['origin'];
  readonly role: Source['role'];
  readonly parent: { region: string; nodeId: string };
  readonly #stream: FedHub;
  readonly #transport: PipeTransport;
  readonly #silence: Silence;
  #ended: LegEnd | undefined;
  #heard = false;
  #word: StreamWord | undefined;

  private constructor(
    options: LegOptions,
    transport: PipeTransport,
    answer: LegAccepted,
    tracks: Producer[],
  ) {
    super();
    this.tracks = tracks;
    this.path = answer.path;
    this.origin = answer.origin;
    this.role = options.crossing ? 'secondary-origin' : 'edge';
    this.parent = { region: answer.parent.region, nodeId: answer.parent.nodeId };
    this.#stream = options.stream;
    this.#transport = transport;
    this.#silence = new Silence({
      transport,
      after: options.timing.legSilence,
      onSilent: () => this.close('silent'),
    });
    transport.observer.once('close', () => this.close('closed'));
  }

  /**
   * One round trip: our end is ready before we ask, the answer completes it. A fresh transport every time, for
   * re-using one breaks SRTP (mediasoup issue 352).
   */
  static async open(options: LegOptions): Promise<LegOutcome> {
    const { stream, workers, crossing, epoch, ask } = options;
    const transport = await workers.createLegTransport(stream.hub, crossing);
    try {
      const pulse = await transport.consume({ producerId: stream.pulse.producer.id });
      const answer = await ask({
        v: 1,
        requestId: randomUUID(),
        stream: stream.name,
        region: stream.self.region,
        nodeId: stream.self.nodeId,
        incarnation: stream.self.incarnation,
        epoch,
        ip: transport.tuple.localAddress,
        port: transport.tuple.localPort,
        srtpParameters: srtpOf(transport),
        pulse: pulse.rtpParameters,
      });
      if (answer.result !== 'accepted') {
        transport.close();
        return { refused: answer };
      }
      const { ip, port, srtpParameters } = answer;
      const [incoming, tracks] = await Promise.all([
        transport.produce({ kind: 'audio', rtpParameters: answer.pulse }),
        Promise.all(
          answer.tracks.map(({ kind, rtpParameters, rids }) =>
            transport.produce({ kind, rtpParameters, appData: { layers: new TrackLayers(rids) } }),
          ),
        ),
        transport.connect({ ip, port, srtpParameters }),
      ]);
      const leg = new Leg(options, transport, answer, tracks);
      const listener = await stream.pulse.listen(incoming);
      listener.on('beat', ({ type, generation, word }) => {
        if (type === 'alive' && generation !== answer.generation) leg.close('superseded');
        else if (type === 'alive') leg.#hear(word);
        else if (type !== 'bye') leg.close(type);
      });
      return { leg };
    } catch (error) {
      transport.close();
      throw error;
    }
  }

  async leg(): Promise<StreamReport['leg']> {
    if (this.#ended !== undefined) return null;
    const [stats] = await this.#transport.getStats();
    return stats ? { bytesReceived: stats.bytesReceived, bitrate: stats.recvBitrate } : null;
  }

  /** Whether the parent was heard on it at all. */
  get heard(): boolean {
    return this.#heard;
  }

  get word(): StreamWord | undefined {
    return this.#word;
  }

  /** Resolves when the leg has ended, at once when it already has: it may fall silent while it is being made. */
  async over(): Promise<LegEnd> {
    if (this.#ended !== undefined) return this.#ended;
    const [end] = await once(this, 'end');
    return end;
  }

  #hear(word: StreamWord | undefined): void {
    this.#heard = true;
    const isNews = word?.isLive !== this.#word?.isLive || word?.total !== this.#word?.total;
    this.#word = word;
    this.#silence.heard();
    if (isNews) this.emit('word');
  }

  close(end: LegEnd): void {
    if (this.#ended !== undefined) return;
    this.#ended = end;
    this.#silence.close();
    // A superseded leg goes on counting at its parent until another replaces it: its viewers are still there.
    if (end === 'closed') this.#sayBye();
    this.#transport.close();
    this.emit('end', end);
  }

  /**
   * So that the parent need not wait for our silence. A beat goes to all legs of the hub: children take no notice of this
   * one, but where another leg feeds the stream by now its parent would.
   */
  #sayBye(): void {
    const { source, pulse, generation } = this.#stream;
    // It leaves before the pipe is closed: the channel to the worker keeps order.
    if (source === this) pulse.send({ type: 'bye', viewers: 0, generation });
  }
}

/** The parameters that protect what this end sends. */
export function srtpOf(transport: PipeTransport): LegRequest['srtpParameters'] {
  if (transport.srtpParameters === undefined) throw new Error('a leg without SRTP');
  return transport.srtpParameters;
}

/** A parent's consumer of a track as its child must produce it. */
export const legTrackOf = ({ kind, rtpParameters }: Consumer, track: Producer): LegTrack => ({
  kind,
  rtpParameters,
  rids: [...TrackLayers.of(track).rids],
});
