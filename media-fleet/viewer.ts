// A WHEP session: consumers on an outlet, re-made under the viewer's feet when the stream's source changes.

import type { Consumer, Producer, Router, RtpCapabilities, RtpCodecCapability } from 'mediasoup/types';
import type { Logger } from 'pino';
import type { LayerRequest } from '#routing/node-messages.ts';
import { Problem } from '#routing/problem.ts';
import type { Layout, LayoutCodec } from './codecs.ts';
import type { EventLog } from './events/event-log.ts';
import { ViewerEvents } from './events/viewer-events.ts';
import { givesEstimate, ViewerLayers } from './layers/viewer-layers.ts';
import type { Outlet } from './outlet.ts';
import type { AnsweredCodec, AnsweredMedia } from './sdp/answer.ts';
import { answeredSections } from './sdp/counter-offer.ts';
import { type Offer, type OfferedCodec, type OfferedMedia, readAnswer } from './sdp/offer.ts';
import { Session, type SessionOptions } from './session.ts';

/** What a viewer gets of a stream: the layout its outlet must have, and what its answer says. */
export interface ViewingPlan {
  layout: Layout;
  media: AnsweredMedia[];
}

/**
 * Matches a viewer's offer with a stream's tracks: one codec a section, with the offer's payload type.
 * @param msid the stream id that all sections of the answer carry.
 * @throws Problem 422 when the viewer can receive nothing of it.
 */
export function planViewing(
  offer: Offer,
  tracks: readonly Producer[],
  hub: Router,
  msid: string,
): ViewingPlan {
  const layout: LayoutCodec[] = [];
  const media = offer.media.map((offered): AnsweredMedia => {
    if (offered.direction !== 'recvonly' && offered.direction !== 'sendrecv') {
      throw new Problem(
        422,
        'unusable-sdp',
        `the offer's ${offered.kind} is ${offered.direction}; a viewer's is recvonly`,
      );
    }
    const track = tracks.find(({ kind }) => kind === offered.kind);
    if (track === undefined) return inactive(offered);
    const codec = offered.codecs.find((candidate) => playable(candidate, offered.kind, track, hub));
    if (codec === undefined) {
      const has = codecName(trackCodec(track));
      const offers = [...new Set(offered.codecs.map(codecName))].join(', ');
      throw new Problem(
        422,
        'no-common-codec',
        `the stream's ${offered.kind} is ${has}; the offer has ${offers}`,
      );
    }
    layout.push({ kind: offered.kind, payloadType: codec.payloadType, codec: trackCodec(track) });
    return { offered, direction: 'sendonly', codec: answered(codec), extensions: [], receiveRids: [], msid };
  });
  if (new Set(layout.map(({ payloadType }) => payloadType)).size < layout.length) {
    throw new Problem(422, 'unusable-sdp', 'the offer gives audio and video the same payload type');
  }
  if (layout.length === 0) {
    const kinds = tracks.map(({ kind }) => kind).join(' and ');
    throw new Problem(422, 'no-common-codec', `the stream has ${kinds}; the offer has no section for it`);
  }
  return { layout, media };
}

/** With the profile, by which codecs of one name differ. */
function codecName({
  mimeType,
  parameters = {},
}: Pick<LayoutCodec['codec'], 'mimeType' | 'parameters'>): string {
  const profile = ['profile-level-id', 'profile-id'].find((name) => parameters[name] !== undefined);
  return profile === undefined ? mimeType : `${mimeType} ${profile}=${parameters[profile]}`;
}

function inactive(offered: OfferedMedia): AnsweredMedia {
  const [codec] = offered.codecs;
  if (codec === undefined) throw new Error('an offered section without a codec came through readOffer');
  return {
    offered,
    direction: 'inactive',
    codec: answered(codec),
    extensions: [],
    receiveRids: [],
    msid: undefined,
  };
}

/** The feedback that an outlet's consumers act on; no bandwidth estimate, for the answer has no extensions. */
const FEEDBACK = ['nack', 'nack pli', 'ccm fir'];

/** No RTX: mediasoup numbers it itself. A lost packet is sent again as it was, which every client takes. */
const answered = (codec: OfferedCodec): AnsweredCodec => ({
  ...codec,
  rtcpFeedback: codec.rtcpFeedback.filter(({ type, parameter = '' }) =>
    FEEDBACK.includes(`${type} ${parameter}`.trim()),
  ),
  rtxPayloadType: undefined,
});

const playable = (codec: OfferedCodec, kind: 'audio' | 'video', track: Producer, hub: Router): boolean => {
  const capability: RtpCodecCapability = {
    kind,
    mimeType: codec.mimeType,
    preferredPayloadType: codec.payloadType,
    clockRate: codec.clockRate,
    ...(codec.channels === undefined ? {} : { channels: codec.channels }),
    parameters: codec.parameters,
  };
  return hub.canConsume({
    producerId: track.id,
    rtpCapabilities: { codecs: [capability], headerExtensions: [] },
  });
};

/** A track's codec, without what only its sender needs to know. */
function trackCodec(track: Producer): LayoutCodec['codec'] {
  const [codec] = track.rtpParameters.codecs;
  if (codec === undefined) throw new Error('a producer without a codec');
  const { mimeType, clockRate, channels, parameters } = codec;
  return {
    mimeType,
    clockRate,
    ...(channels === undefined ? {} : { channels }),
    ...(parameters === undefined ? {} : { parameters }),
  };
}

export const nothingOffered = (): Problem =>
  new Problem(409, 'nothing-offered', 'this session has no counter-offer that waits for an answer');

/** A section that the viewer receives, and what it can receive there, in its outlet's numbers. */
export interface ViewedSection {
  kind: 'audio' | 'video';
  mid: string;
  capabilities: RtpCapabilities;
}

/** The sections of a plain answer. @param outlet the capabilities of the outlet's router. */
export const viewedSections = ({ media }: ViewingPlan, outlet: RtpCapabilities): ViewedSection[] =>
  media
    .filter(({ direction }) => direction === 'sendonly')
    .map(({ offered, codec }) => ({
      kind: offered.kind,
      mid: offered.mid,
      capabilities: viewerCapabilities(codec, outlet),
    }));

export interface ViewerOptions extends SessionOptions {
  outlet: Outlet;
  /** None yet where the viewer has still to answer a counter-offer. */
  sections: readonly ViewedSection[];
  /** The capabilities of the outlet's router, which a counter-offer offers. */
  offered: RtpCapabilities;
  /** The layer that its POST asked for. */
  layer?: LayerRequest | undefined;
  /** What there is to hear of the stream that it watches. */
  events: { stream: string; log: EventLog };
  log: Logger;
}

/** A viewer's session. `show` gives it the outlet's tracks, at first and whenever they change. */
export class Viewer extends Session {
  /** What serves it. */
  readonly outlet: Outlet;
  /** What its player hears of the stream. */
  readonly events: ViewerEvents;
  #sections: readonly ViewedSection[];
  readonly #offered: RtpCapabilities;
  readonly #log: Logger;
  readonly #consumers = new Map<'audio' | 'video', Consumer>();
  readonly layers: ViewerLayers;
  /** The track whose consumer was made anew. */
  #aligned: Producer | undefined;
  #wanted: readonly Producer[] = [];
  #applying: Promise<void> = Promise.resolve();

  constructor({ outlet, sections, offered, layer, events, log, ...session }: ViewerOptions) {
    super(session);
    this.layers = new ViewerLayers(layer);
    this.outlet = outlet;
    const videoMid = () => this.#sections.find(({ kind }) => kind === 'video')?.mid;
    this.events = new ViewerEvents({ ...events, videoMid });
    this.#log = log;
    this.#sections = sections;
    this.#offered = offered;
  }

  /**
   * The viewer's answer to our counter-offer.
   * @throws Problem 409 when there is none to answer, 400 or 422 when it is no answer to it.
   */
  async answer(text: string): Promise<void> {
    if (this.#sections.length > 0) {
      throw nothingOffered();
    }
    const answer = readAnswer(text);
    this.#sections = answeredSections(answer, this.#offered, this.#wanted);
    this.learn(answer);
    await Promise.all([this.transport.connect({ dtlsParameters: answer.dtls }), this.show(this.#wanted)]);
  }

  /** Whether it negotiated a section of this kind. */
  wants(kind: 'audio' | 'video'): boolean {
    return this.#sections.some((section) => section.kind === kind);
  }

  /**
   * Chooses the layer of its video.
   * @throws Problem 422 when it has no such section or layer.
   */
  async chooseLayer(request: LayerRequest): Promise<void> {
    const index = this.#wanted.findIndex(({ kind }) => kind === 'video');
    // Before its answer a counter-offer's sections are numbered by our tracks.
    const mid =
      this.#sections.length > 0 || index < 0
        ? this.#sections.find(({ kind }) => kind === 'video')?.mid
        : String(index);
    if (mid === undefined) throw new Problem(422, 'unknown-media', 'this session has no video');
    if (request.mediaId !== undefined && request.mediaId !== mid) {
      const detail = `${request.mediaId} is not a section with layers; the session's video is ${mid}`;
      throw new Problem(422, 'unknown-media', detail);
    }
    await this.layers.choose(request, this.#wanted[index]);
  }

  /** Consumes these tracks instead of the present ones; the newest call wins. */
  show(tracks: readonly Producer[]): Promise<void> {
    this.#wanted = tracks;
    this.#applying = this.#applying
      .then(() => this.#apply())
      .catch((error: unknown) => {
        // A track or the transport went away meanwhile: then a newer call or the session's end is on its way.
        if (this.ended || tracks !== this.#wanted) return;
        this.#log.debug({ err: error, session: this.id }, 'a track was not consumed');
        // The hub has codecs that this viewer did not negotiate: only a new session can help it.
        if (error instanceof Error && error.name === 'UnsupportedError') this.close('codec-changed');
      });
    return this.#applying;
  }

  async #apply(): Promise<void> {
    const wanted = this.#wanted;
    // All of them to their end before another application begins: a section has one consumer at a time.
    const sections = await Promise.allSettled(
      this.#sections.map((section) => this.#applyTo(section, wanted)),
    );
    const failed = sections.find((section) => section.status === 'rejected');
    if (failed) throw failed.reason;
  }

  async #applyTo({ kind, mid, capabilities }: ViewedSection, wanted: readonly Producer[]): Promise<void> {
    const track = wanted.find((candidate) => candidate.kind === kind && !candidate.closed);
    const present = this.#consumers.get(kind);
    if (present && !present.closed && present.producerId === track?.id) return;
    present?.close();
    this.#consumers.delete(kind);
    if (track === undefined || this.ended) return;
    const hasEstimate = givesEstimate(capabilities);
    const preferredLayers = kind === 'video' ? this.layers.preferred(track, hasEstimate) : undefined;
    const consumer = await this.transport.consume({
      producerId: track.id,
      rtpCapabilities: capabilities,
      mid,
      enableRtx: kind === 'video',
      ...(preferredLayers === undefined ? {} : { preferredLayers }),
    });
    this.#consumers.set(kind, consumer);
    if (kind !== 'video') return;
    const align = () => this.#align(track, consumer);
    consumer.on('layerschange', align);
    consumer.on('score', align);
    await this.layers.attach(track, consumer, hasEstimate);
  }

  /**
   * mediasoup begins with the layer that comes first on a new leg, and goes down to the one that is wanted only when both have
   * had their first sender report over every leg, seconds later. A new consumer begins with the one that is
   * wanted, if it flows by then: so the first is made anew, once a track.
   */
  #align(track: Producer, consumer: Consumer): void {
    const wanted = consumer.preferredLayers?.spatialLayer;
    const current = consumer.currentLayers?.spatialLayer;
    if (wanted === undefined || current === undefined || current <= wanted) return;
    const flows = (consumer.score.producerScores[wanted] ?? 0) > 0;
    if (!flows || consumer.closed || this.ended || this.#aligned === track) return;
    this.#aligned = track;
    consumer.close();
    void this.show(this.#wanted);
  }
}

/** What a section of this viewer can receive, in the outlet's numbers. */
function viewerCapabilities(codec: AnsweredCodec, outlet: RtpCapabilities): RtpCapabilities {
  return {
    codecs: (outlet.codecs ?? [])
      .filter(({ preferredPayloadType }) => preferredPayloadType === codec.payloadType)
      .map((known) => ({ ...known, rtcpFeedback: [...codec.rtcpFeedback] })),
    headerExtensions: [],
  };
}
