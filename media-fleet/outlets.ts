// The outlets of a stream, each shared by all viewers of one layout on one worker, and freed with the last of them.

import type { Producer, Router } from 'mediasoup/types';
import { unavailable } from '#routing/problem.ts';
import type { Layout } from './codecs.ts';
import { hubServes, Outlet } from './outlet.ts';
import type { MediaWorker, Workers } from './workers.ts';

/** The hub that feeds the outlets, and its worker. */
export interface OutletHome {
  hub: Router;
  worker: MediaWorker;
}

/** The outlet that a viewer needs. */
export interface OutletPlace {
  /** Equal for viewers that can share it. */
  key: string;
  layout: Layout;
  media: MediaWorker;
}

/** A viewer's share of an outlet. */
export interface OutletShare {
  outlet: Outlet;
  /** The last one that is released frees the outlet; each is released once. */
  release(): void;
}

/** An outlet and how many viewers hold it, those included that are still joining. */
interface SharedOutlet {
  opening: Promise<Outlet>;
  /** Once it is open. */
  outlet: Outlet | undefined;
  users: number;
}

interface FeedOutcome {
  fed: (outlet: Outlet) => Promise<unknown>;
  failed: (outlet: Outlet, error: unknown) => void;
}

/** Payload-type layouts of one stream at once: clients in use have four or five, an attacker as many as he likes. */
const MAX_OUTLETS = 16;

export class Outlets {
  readonly #workers: Workers;
  readonly #shared = new Map<string, SharedOutlet>();
  #home: OutletHome;

  constructor(home: OutletHome, workers: Workers) {
    this.#home = home;
    this.#workers = workers;
  }

  /** The hub is another from now on; outlets of other workers are fed from there. */
  move(home: OutletHome): void {
    this.#home = home;
  }

  /**
   * The outlet, opened and fed with these tracks where it is not.
   * @throws Problem 503 when the stream has as many as it may.
   */
  async acquire(place: OutletPlace, tracks: readonly Producer[]): Promise<OutletShare> {
    const known = this.#shared.get(place.key);
    // One that closed under its viewers is there until the last of them has left it.
    const shared = known === undefined || known.outlet?.closed ? this.#share(place, tracks) : known;
    shared.users += 1;
    try {
      return { outlet: await shared.opening, release: () => this.#release(place.key, shared) };
    } catch (error) {
      // Who waited hears of the failure; the next viewer tries anew.
      this.#forget(place.key, shared);
      throw error;
    }
  }

  #share(place: OutletPlace, tracks: readonly Producer[]): SharedOutlet {
    if (this.#shared.size >= MAX_OUTLETS) {
      throw unavailable(
        'too-many-layouts',
        `viewers of ${MAX_OUTLETS} payload-type layouts watch the stream here`,
      );
    }
    const shared: SharedOutlet = { opening: this.#open(place, tracks), outlet: undefined, users: 0 };
    shared.opening.then(
      (outlet) => {
        shared.outlet = outlet;
      },
      () => undefined,
    );
    this.#shared.set(place.key, shared);
    return shared;
  }

  #release(key: string, shared: SharedOutlet): void {
    shared.users -= 1;
    if (shared.users > 0) return;
    this.#forget(key, shared);
    shared.outlet?.close();
  }

  /**
   * Feeds every outlet with these tracks instead; `fed` is called for each as soon as it has them, `failed` where it
   * cannot have them: that is no reason for the others not to. One that failed closes after it, and nobody gets it any more.
   */
  async feed(tracks: readonly Producer[], { fed, failed }: FeedOutcome): Promise<void> {
    await Promise.all(
      [...this.#shared].map(async ([key, shared]) => {
        // One that could not be opened has told those who wait for it.
        const outlet = await shared.opening.catch(() => undefined);
        if (outlet === undefined) return;
        const { hub } = this.#home;
        try {
          await outlet.feed(hub, tracks);
        } catch (error) {
          // A hub that is gone has a successor, which feeds it next.
          if (hub.closed) return;
          this.#forget(key, shared);
          failed(outlet, error);
          outlet.close();
          return;
        }
        await fed(outlet);
      }),
    );
  }

  close(): void {
    for (const { opening } of this.#shared.values()) {
      opening.then((outlet) => outlet.close()).catch(() => undefined);
    }
    this.#shared.clear();
  }

  #forget(key: string, shared: SharedOutlet): void {
    if (this.#shared.get(key) === shared) this.#shared.delete(key);
  }

  async #open({ layout, media }: OutletPlace, tracks: readonly Producer[]): Promise<Outlet> {
    const { hub, worker } = this.#home;
    const outlet =
      media === worker && hubServes(layout, tracks)
        ? Outlet.onHub(hub, media)
        : await Outlet.forLayout(layout, this.#workers, media);
    try {
      await outlet.feed(hub, tracks);
      return outlet;
    } catch (error) {
      outlet.close();
      throw error;
    }
  }
}
