// Publishers and viewers of a test file, ended after each of its tests.

import { afterEach } from 'vitest';
import { Publisher, type PublishOptions, Viewer, type ViewOptions } from '#test/media/libwebrtc.ts';
import { eventually, type Tree, whep, whip } from './support.ts';

export interface SessionsOptions {
  publishToken: () => string;
  tree: (stream: string) => Promise<Tree | undefined>;
}

export function useSessions({ publishToken, tree }: SessionsOptions) {
  const open: { stop(): Promise<void> }[] = [];
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
    watch: async (stream: string, region: { api: string }, options: Partial<ViewOptions> = {}) => {
      const viewer = await Viewer.start({ url: whep(region, stream), ...options });
      open.push(viewer);
      return viewer;
    },
  };
}
