// A viewer's layer on real mediasoup: what its consumers are told to prefer, over every change of the source.

import type { Consumer, Producer, RtpCapabilities, WebRtcTransport } from 'mediasoup/types';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { reportLayers } from '#media-fleet/layers/layer-report.ts';
import { layerBitrates, layerCount, layerNames, TrackLayers } from '#media-fleet/layers/track-layers.ts';
import { type Counted, givesEstimate, reported, ViewerLayers } from '#media-fleet/layers/viewer-layers.ts';
import { publish } from '#media-fleet/publication.ts';
import { readOffer } from '#media-fleet/sdp/offer.ts';
import type { Workers } from '#media-fleet/workers.ts';
import { type Hub, openHub, startWorkers } from '../media.ts';
import { offerText, plainOffer } from '../sdp/offers.ts';

let workers: Workers;
let hub: Hub;
let transport: WebRtcTransport;
let track: Producer;

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());
beforeEach(async () => {
  hub = await openHub(workers);
  transport = await workers.createSessionTransport(hub.media, hub.router);
  track = await videoOf(offerText('chromium-simulcast'));
});
afterEach(() => hub.router.close());

async function videoOf(offer: string): Promise<Producer> {
  const from = await workers.createSessionTransport(hub.media, hub.router);
  const { producers } = await publish(readOffer(offer), from, hub.router);
  const video = producers.find(({ kind }) => kind === 'video');
  if (video === undefined) throw new Error('the offer has no video');
  return video;
}

/** Shows a track as a viewer does. */
async function show(layers: ViewerLayers, shown = track, hasEstimate = false): Promise<Consumer> {
  const preferredLayers = layers.preferred(shown, hasEstimate);
  const consumer = await transport.consume({
    producerId: shown.id,
    rtpCapabilities: hub.router.rtpCapabilities,
    ...(preferredLayers === undefined ? {} : { preferredLayers }),
  });
  await layers.attach(shown, consumer, hasEstimate);
  return consumer;
}

const spatial = ({ preferredLayers }: Consumer) => preferredLayers?.spatialLayer;
const SENT = [100_000, 300_000, 900_000];

describe('a viewer of three layers', () => {
  it('begins with the lowest without a bandwidth estimate, with one up to the highest', async () => {
    expect(spatial(await show(new ViewerLayers()))).toBe(0);
    expect(spatial(await show(new ViewerLayers(), track, true))).toBe(2);
  });

  it('gets the one that it names, by any of its names, and is free again without', async () => {
    const layers = new ViewerLayers();
    const consumer = await show(layers, track, true);
    await layers.choose({ encodingId: 'm' }, track);
    expect(spatial(consumer)).toBe(1);
    await layers.choose({ rid: 'l' }, track);
    expect(spatial(consumer)).toBe(0);
    await layers.choose({ spatialLayerId: 1 }, track);
    expect(spatial(consumer)).toBe(1);
    await layers.choose({ mediaId: '1' }, track);
    expect(spatial(consumer)).toBe(2);
    await layers.choose({ maxSpatialLayerId: 1 }, track);
    expect(spatial(consumer)).toBe(1);
    await layers.choose({ rid: 'h', maxSpatialLayerId: 0 }, track);
    expect(spatial(consumer)).toBe(0);
  });

  it('gets every picture of a layer, or those that it asked for', async () => {
    const layers = new ViewerLayers();
    const consumer = await show(layers);
    expect(consumer.preferredLayers?.temporalLayer).toBe(2);
    await layers.choose({ temporalLayerId: 0 }, track);
    expect(consumer.preferredLayers?.temporalLayer).toBe(0);
    await layers.choose({}, track);
    expect(consumer.preferredLayers?.temporalLayer).toBe(2);
  });

  it('that chooses twice at once gets what it chose last', async () => {
    const layers = new ViewerLayers({ rid: 'l' });
    const consumer = await show(layers);
    await Promise.all([layers.choose({ rid: 'h' }, track), layers.choose({ rid: 'l' }, track)]);
    expect(spatial(consumer)).toBe(0);
  });

  it('that chooses while its consumer is made gets what it chose', async () => {
    const layers = new ViewerLayers();
    const shown = show(layers);
    await layers.choose({ rid: 'h' }, track);
    expect(spatial(await shown)).toBe(2);
  });

  it.each([
    [{ encodingId: 'x' }, 'no layer x; it has l, m, h'],
    [{ spatialLayerId: 3 }, 'no spatial layer 3; it has 3'],
    [{ temporalLayerId: 3 }, 'no temporal layer 3; it has 3'],
  ])('is refused %o, and keeps what it had', async (request, said) => {
    const layers = new ViewerLayers({ rid: 'm' });
    const consumer = await show(layers);
    await expect(layers.choose(request, track)).rejects.toMatchObject({
      status: 422,
      code: 'unknown-layer',
      message: expect.stringContaining(said),
    });
    expect(spatial(consumer)).toBe(1);
  });

  it('keeps its choice when its source changes, and takes what there is where the new one has not got it', async () => {
    const layers = new ViewerLayers({ rid: 'm' });
    expect(spatial(await show(layers))).toBe(1);
    const same = await videoOf(offerText('chromium-simulcast'));
    expect(spatial(await show(layers, same))).toBe(1);
    const renamed = await videoOf(
      offerText('chromium-simulcast').replace('rid:m send', 'rid:q send').replace('send h;m;l', 'send h;q;l'),
    );
    expect(TrackLayers.of(renamed).rids).toEqual(['l', 'q', 'h']);
    expect(spatial(await show(layers, renamed))).toBe(0);
    expect(await show(layers, await videoOf(plainOffer([/2001/g, '2003'], [/2002/g, '2004'])))).toMatchObject(
      {
        type: 'simple',
      },
    );
    expect(spatial(await show(layers, same))).toBe(1);
  });

  it.each([
    [
      'a simulcast',
      offerText('chromium-simulcast').replace(/2001/g, '2003').replace(/2002/g, '2004'),
      ['l', 'm', 'h'],
    ],
    ['one without names', plainOffer([/2001/g, '2003'], [/2002/g, '2004']), ['0']],
  ])('gets every layer that it hears of, of %s', async (_, offer, names) => {
    const shown = await videoOf(offer);
    const heard = reportLayers({
      names: layerNames(shown),
      bitrates: SENT,
      sizes: TrackLayers.of(shown).sizes,
    });
    expect(heard.layers.map(({ encodingId }) => encodingId)).toEqual(names);
    const layers = new ViewerLayers();
    await show(layers, shown);
    for (const layer of heard.layers) await layers.choose(layer, shown);
    await expect(layers.choose({ rid: String(names.length) }, shown)).rejects.toThrow(
      `no layer ${names.length}; it has ${names.join(', ')}`,
    );
  });

  it('has the highest layer whose pictures are low enough, the lowest until they are known', async () => {
    const layers = new ViewerLayers({ maxHeight: 400 });
    const consumer = await show(layers, track, true);
    expect(spatial(consumer)).toBe(0);
    const { sizes } = TrackLayers.of(track);
    for (const layer of [0, 1, 2]) sizes.set(layer, { width: 320 * 2 ** layer, height: 180 * 2 ** layer });
    await layers.apply();
    expect(spatial(consumer)).toBe(1);
    await layers.choose({ maxWidth: 1280 }, track);
    expect(spatial(consumer)).toBe(2);
    await layers.choose({ maxHeight: 100 }, track);
    expect(spatial(consumer)).toBe(0);
  });

  it('needs no looking after when mediasoup chooses, or it does', async () => {
    const layers = new ViewerLayers();
    expect(layers.isFollowed).toBe(false);
    await show(layers, track, true);
    expect(layers.isFollowed).toBe(false);
    const consumer = await show(layers);
    expect(layers.isFollowed).toBe(true);
    await layers.choose({ rid: 'l' }, track);
    expect(layers.isFollowed).toBe(false);
    await layers.choose({}, track);
    consumer.close();
    expect(layers.isFollowed).toBe(false);
  });

  it('that reports nothing stays where it is', async () => {
    const layers = new ViewerLayers();
    const consumer = await show(layers);
    for (let at = 0; at < 20_000; at += 1_000) await layers.look(SENT, at);
    expect(spatial(consumer)).toBe(0);
  });
});

describe('a track’s layers', () => {
  it('keep their names, their order and their sizes on an outlet', async () => {
    const other = await workers.createRouter(hub.media, [
      { kind: 'video', mimeType: 'video/VP8', clockRate: 90_000, preferredPayloadType: 120 },
    ]);
    const { pipeProducer } = await hub.router.pipeToRouter({
      producerId: track.id,
      router: other,
      keepId: false,
    });
    if (pipeProducer === undefined) throw new Error('no pipe');
    expect(TrackLayers.of(pipeProducer)).toBe(TrackLayers.of(track));
    expect(layerCount(pipeProducer)).toBe(3);
    expect(layerNames(pipeProducer)).toEqual(['l', 'm', 'h']);
    other.close();
  });

  it('take nothing while they are not sent', async () => {
    expect(await layerBitrates(track)).toEqual([0, 0, 0]);
  });
});

it('there is an estimate where the viewer takes the extension and gives the feedback', () => {
  const of = (changes: (capabilities: RtpCapabilities) => RtpCapabilities) =>
    givesEstimate(changes(hub.router.rtpCapabilities));
  expect(of((all) => all)).toBe(true);
  expect(of((all) => ({ ...all, headerExtensions: [] }))).toBe(false);
  expect(
    of(({ codecs = [], ...all }) => ({
      ...all,
      codecs: codecs.map((codec) => ({ ...codec, rtcpFeedback: [] })),
    })),
  ).toBe(false);
});

describe('a report', () => {
  const before: Counted = {
    packetCount: 1_000,
    nackPacketCount: 10,
    packetsLost: 3,
    fractionLost: 51,
    jitter: 40,
    roundTripTime: 20,
  };
  const seen = (changes: Partial<Counted>) => reported(before, { ...before, packetCount: 1_100, ...changes });

  it('is new when anything in it is', () => {
    expect(seen({})).toEqual({ loss: undefined, roundTrip: 20 });
    expect(seen({ jitter: 41 })).toEqual({ loss: 51 / 256, roundTrip: 20 });
    expect(seen({ fractionLost: 0, roundTripTime: 21 })).toEqual({ loss: 0, roundTrip: 21 });
  });

  it('counts what was asked for again as lost, for the report does not', () => {
    expect(seen({ nackPacketCount: 22 })).toMatchObject({ loss: 0.12 });
    expect(seen({ nackPacketCount: 22, fractionLost: 0, jitter: 41 })).toMatchObject({ loss: 0.12 });
    expect(seen({ nackPacketCount: 400 })).toMatchObject({ loss: 1 });
  });

  it('says nothing of a viewer to whom nothing was sent', () => {
    expect(seen({ packetCount: 1_000, jitter: 41 })).toMatchObject({ loss: undefined });
  });
});
