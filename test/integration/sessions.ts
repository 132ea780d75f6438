// Publishers and viewers of a test file, ended after each of its tests.

import { afterEach } from 'vitest';
import { Publisher, type PublishOptions, Viewer, type ViewOptions } from '#test/media/libwebrtc.ts';
import { eventually, type Tree, whep, whip } from './support.ts';

/** Viewers until an edge that has got too few of them counts as forgotten by placement. */
const MOST = 24;

export interface SessionsOptions {
  publishToken: () => string;
  tree: (stream: string) => Promise<Tree | undefined>;
}

export function useSessions({ publishToken, tree }: SessionsOptions) {
  const open: { stop(): Promise<void> }[] = [];
  const watch = async (stream: string, region: { api: string }, options: Partial<ViewOptions> = {}) => {
    const viewer = await Viewer.start({ url: whep(region, stream), ...options });
    open.push(viewer);
    return viewer;
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((session) => session.stop().catch(() => undefined)));
  });
  return {
    /** Resolves when the stream map has the stream in that region. */
    publish: async (
      stream: string,
      region: { id: string; api: string },
      options: Partial<PublishOptions> = {},
    ) => {
      const publisher = await Publisher.start({
        url: whip(region, stream),
        token: publishToken(),
        ...options,
      });
      open.push(publisher);
      await eventually(
        () => tree(stream),
        (state) => state?.origin?.region === region.id,
      );
      return publisher;
    },
    watch,
    /** As {@link onTwo}. */
    watchOnTwo: (stream: string, region: { api: string }, each: number) =>
      onTwo(() => watch(stream, region), each),
  };
}

/**
 * At least so many viewers on each of two edges. The first come at once, so that both edges ask for the stream before
 * either has it; which edge a viewer gets is left to chance.
 */
export async function onTwo(join: () => Promise<Viewer>, each: number): Promise<Viewer[]> {
  const viewers = await Promise.all(Array.from({ length: 2 * each }, join));
  const edges = () => [...Map.groupBy(viewers, ({ session }) => session.node).values()];
  while (edges().filter(({ length }) => length >= each).length < 2) {
    if (viewers.length >= MOST) throw new Error(`${MOST} viewers, and no second edge has ${each}`);
    viewers.push(await join());
  }
  return viewers;
}
