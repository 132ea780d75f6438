// A stream's cascade tree, as GET /api/streams/{stream} tells it.

import * as z from 'zod';

/** ms; a region asks the others for 3 s at most. */
const READ_TIMEOUT = 10_000;

const treeSchema = z.object({
  status: z.literal('success'),
  data: z.object({
    streamName: z.string(),
    origin: z
      .object({ region: z.string(), nodeId: z.string(), epoch: z.number(), startedAt: z.iso.datetime() })
      .nullable(),
    regions: z.array(
      z.object({
        region: z.string(),
        secondaryOrigin: z.object({ nodeId: z.string(), epoch: z.number() }).nullable(),
        nodes: z.array(
          z.object({
            nodeId: z.string(),
            role: z.enum(['origin', 'secondary-origin', 'edge']),
            parent: z.object({ region: z.string(), nodeId: z.string() }).nullable(),
            viewers: z.number(),
            leg: z.object({ bytesReceived: z.number(), bitrate: z.number() }).nullable(),
            tracks: z.array(
              z.object({
                kind: z.string(),
                codec: z.string(),
                layers: z.array(z.object({ packets: z.number() })),
              }),
            ),
          }),
        ),
      }),
    ),
  }),
});
export type Tree = z.infer<typeof treeSchema>['data'];

/** The stream's cascade tree as a region tells it, or undefined when it is not live. */
export async function readTree(
  stream: string,
  region: { api: string },
  apiSecret: string,
): Promise<Tree | undefined> {
  const url = `${region.api}/api/streams/${stream}`;
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${apiSecret}` },
    signal: AbortSignal.timeout(READ_TIMEOUT),
  });
  if (response.status === 404) return undefined;
  return treeSchema.parse(await response.json()).data;
}

/** The legs that cross into a region. */
export const crossings = ({ regions: parts }: Tree, region: { id: string }) =>
  (parts.find((part) => part.region === region.id)?.nodes ?? []).filter(
    ({ parent }) => parent !== null && parent.region !== region.id,
  );

export const nodesOf = ({ regions: parts }: Tree, region: { id: string }) =>
  parts.find((part) => part.region === region.id)?.nodes ?? [];
