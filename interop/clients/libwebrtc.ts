// libwebrtc outside of a browser: the npm package @roamhq/wrtc, which needs nothing of the system.

import * as z from 'zod';
import { Publisher, Viewer } from '#test/media/libwebrtc.ts';
import { codecOf } from '../messages.ts';
import { run, versionOf } from './adapter.ts';
import { only } from './sdp.ts';

const version = versionOf('@roamhq/wrtc');

const packetsSent = z.object({
  type: z.literal('outbound-rtp'),
  kind: z.literal('video'),
  packetsSent: z.number(),
});
const packetsReceived = z.object({
  type: z.literal('inbound-rtp'),
  kind: z.literal('video'),
  packetsReceived: z.number(),
  packetsLost: z.number(),
  frameWidth: z.number().optional(),
  frameHeight: z.number().optional(),
});

await run({
  about: async () => ({
    version: `libwebrtc (@roamhq/wrtc ${version})`,
    publishes: ['VP8', 'VP9', 'AV1'],
    views: ['VP8', 'VP9', 'AV1'],
    lacks: { H264: '@roamhq/wrtc is built without it' },
  }),
  publish: async (url, token, form) => {
    const codec = codecOf(form);
    const publisher = await Publisher.start({ url, token, mangle: (offer) => only(offer, codec) });
    return {
      sent: async () => ({ packets: (await find(publisher.connection, packetsSent))?.packetsSent ?? 0 }),
      stop: () => publisher.stop(),
    };
  },
  view: async (url) => {
    const viewer = await Viewer.start({ url });
    return {
      seen: async () => {
        const stats = await find(viewer.connection, packetsReceived);
        return {
          decoded: viewer.decoded(),
          firstFrameMs: viewer.firstPictureAfter,
          received: stats?.packetsReceived ?? 0,
          lost: stats?.packetsLost ?? 0,
          width: stats?.frameWidth,
          height: stats?.frameHeight,
        };
      },
      stop: () => viewer.stop(),
    };
  },
});

async function find<Shape extends z.ZodType>(
  connection: Viewer['connection'],
  shape: Shape,
): Promise<z.infer<Shape> | undefined> {
  for (const stat of (await connection.getStats()).values()) {
    const { data } = shape.safeParse(stat);
    if (data !== undefined) return data;
  }
  return undefined;
}
