// An outlet: the router that serves the viewers of one payload-type layout on one worker, fed by a local pipe from
// the hub.

import type { Producer, Router } from 'mediasoup/types';
import { type Layout, layoutCodecs } from './codecs.ts';
import type { MediaWorker, Workers } from './workers.ts';

/** True when the hub's own numbers are what the layout asks for: then the hub is the outlet, without a pipe. */
export const hubServes = (layout: Layout, tracks: readonly Producer[]): boolean =>
  layout.every(({ kind, payloadType }) => {
    const track = tracks.find((candidate) => candidate.kind === kind);
    return track?.consumableRtpParameters.codecs[0]?.payloadType === payloadType;
  });

export class Outlet {
  readonly router: Router;
  /** The worker that its viewers' transports belong to. */
  readonly media: MediaWorker;
  readonly #ownsRouter: boolean;
  #tracks: readonly Producer[] = [];
  /** Counts what it was fed with: the newest counts, whichever is ready first. */
  #feeds = 0;

  private constructor(router: Router, media: MediaWorker, ownsRouter: boolean) {
    this.router = router;
    this.media = media;
    this.#ownsRouter = ownsRouter;
  }

  /** The hub itself as an outlet. */
  static onHub(hub: Router, media: MediaWorker): Outlet {
    return new Outlet(hub, media, false);
  }

  /** An outlet with a router of its own, on the hub's worker or another. */
  static async forLayout(layout: Layout, workers: Workers, media: MediaWorker): Promise<Outlet> {
    return new Outlet(await workers.createRouter(media, layoutCodecs(layout)), media, true);
  }

  /** The tracks as this outlet's viewers consume them. */
  get tracks(): readonly Producer[] {
    return this.#tracks;
  }

  /**
   * Takes these tracks of the hub. A track whose codec the outlet has not is left out: its viewers negotiated another.
   * So is one that closes meanwhile: the source changed, and the next feed is on its way. An
   * outlet that is closed meanwhile has nobody to show anything to.
   */
  async feed(hub: Router, hubTracks: readonly Producer[]): Promise<void> {
    if (!this.#ownsRouter) {
      this.#tracks = hubTracks;
      return;
    }
    this.#feeds += 1;
    const feed = this.#feeds;
    const piped = await Promise.all(
      hubTracks.map(async (track) => {
        try {
          // Two routers of one worker cannot hold the same producer id.
          const pipe = { producerId: track.id, router: this.router, keepId: false, enableSctp: false };
          const { pipeProducer } = await hub.pipeToRouter(pipe);
          return pipeProducer;
        } catch (error) {
          const isGone = (track.closed && !hub.closed) || this.router.closed;
          if (isGone || (error instanceof Error && error.name === 'UnsupportedError')) return undefined;
          throw error;
        }
      }),
    );
    const tracks = piped.filter((producer) => producer !== undefined);
    // Those that are not shown would carry media for nobody: a publisher that stands by keeps its tracks.
    const unwanted = feed === this.#feeds ? this.#tracks : tracks;
    if (feed === this.#feeds) this.#tracks = tracks;
    for (const track of unwanted) track.close();
  }

  get closed(): boolean {
    return this.router.closed;
  }

  close(): void {
    if (this.#ownsRouter) this.router.close();
  }
}
