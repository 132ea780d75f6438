// Reads the picture sizes of a track's layers on this node, where somebody limits them: no signaling tells them.

import type { Producer, Router } from 'mediasoup/types';
import { payloadOf, RTP_HEADER } from '../rtp-packet.ts';
import { isReadable, pictureSize } from './picture-size.ts';
import { TrackLayers } from './track-layers.ts';

/** For the key frames of all layers to come, ms: one is asked for at once, and a publisher may keep to its interval. */
const WITHIN = 2_000;

/** Whether the sizes of this track's pictures can be read. */
export const hasReadableSizes = (track: Producer): boolean => isReadable(mimeTypeOf(track));

/**
 * Until every one of these layers has had a key frame, every packet of the track comes into this process, some hundred a
 * second. It costs the publisher one key frame. What does not come in {@link WITHIN} ms stays as it was known, or unknown.
 */
export async function readPictureSizes(
  track: Producer,
  hub: Router,
  layers: readonly number[],
): Promise<void> {
  const { sizes } = TrackLayers.of(track);
  const mimeType = mimeTypeOf(track);
  const transport = await hub.createDirectTransport();
  try {
    const consumer = await transport.consume({
      producerId: track.id,
      rtpCapabilities: hub.rtpCapabilities,
      // All layers at once.
      pipe: true,
      enableRtx: false,
    });
    const layerOf = new Map(consumer.rtpParameters.encodings?.map(({ ssrc }, layer) => [ssrc, layer]));
    const read = new Set<number>();
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, WITHIN);
    consumer.on('transportclose', over.resolve);
    consumer.on('producerclose', over.resolve);
    consumer.on('rtp', (packet) => {
      if (packet.length < RTP_HEADER) return;
      const layer = layerOf.get(packet.readUInt32BE(8));
      const size = layer === undefined ? undefined : pictureSize(mimeType, payloadOf(packet));
      if (layer === undefined || size === undefined) return;
      sizes.set(layer, size);
      read.add(layer);
      if (layers.every((wanted) => read.has(wanted))) over.resolve();
    });
    await over.promise;
    clearTimeout(timer);
  } finally {
    transport.close();
  }
}

const mimeTypeOf = ({ rtpParameters: { codecs } }: Producer): string => codecs[0]?.mimeType ?? '';
