// A run's side of an audience: its process, how its players are, and what they noted.

import { fileURLToPath } from 'node:url';
import { Child } from '#local/children.ts';
import { type AudienceRequest, audienceReport, type Noted } from './audience-messages.ts';

export interface Seat {
  stream: string;
  region: string;
  /** The node that serves its player, undefined while none does. */
  node: string | undefined;
  /** When its player's last picture came, in this process's performance.now(). */
  pictureAt: number;
}

export interface AudienceOptions {
  region: string;
  /** A player for each. */
  players: readonly { stream: string; url: string }[];
  /** Which node has which address. */
  nodes: Readonly<Record<string, string>>;
  /** Nothing is waited for any more. */
  signal: AbortSignal;
  log: (line: string) => void;
}

type Ask = AudienceRequest extends infer Each ? (Each extends unknown ? Omit<Each, 'id'> : never) : never;

/** For an answer, in ms: players join for as long as they must, but nobody waits longer for them. */
const ANSWER = 30_000;
/** The first join waits for the encoders, too, and on a slow machine for nodes that have only just started. */
const FIRST_JOIN = 90_000;

export class Audience {
  readonly region: string;
  readonly seats: readonly Seat[];
  readonly ready: Promise<void>;
  /** The longest that its process was late, in ms, since this was set to 0. */
  lag = 0;
  readonly #options: AudienceOptions;
  readonly #child: Child;
  readonly #asked = new Map<number, (noted: readonly Noted[]) => void>();
  #id = 0;

  constructor(options: AudienceOptions) {
    this.region = options.region;
    this.#options = options;
    const { region } = options;
    this.seats = options.players.map(({ stream }) => ({ stream, region, node: undefined, pictureAt: 0 }));
    this.#child = new Child({
      name: `the audience in ${region}`,
      script: fileURLToPath(new URL('./audience.ts', import.meta.url)),
      args: [region],
      env: {},
      restart: false,
      equip: async (process) => {
        process.on('message', (message) => this.#hear(message));
      },
    });
    this.ready = this.#child.ready;
  }

  async join(): Promise<void> {
    const { region, players, nodes } = this.#options;
    await this.#ask({ do: 'join', region, players: [...players], nodes: { ...nodes } }, FIRST_JOIN);
  }

  async rejoin(seat: Seat): Promise<void> {
    await this.#ask({ do: 'rejoin', player: this.seats.indexOf(seat) });
  }

  async observe(dies: string | undefined): Promise<void> {
    await this.#ask({ do: 'observe', dies });
  }

  /** What each player noted, in the order of the seats. */
  tell(): Promise<readonly Noted[]> {
    return this.#ask({ do: 'tell' });
  }

  async leave(): Promise<void> {
    await this.#ask({ do: 'leave' });
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }

  async #ask(what: Ask, within = ANSWER): Promise<readonly Noted[]> {
    this.#id += 1;
    const id = this.#id;
    const { promise, resolve, reject } = Promise.withResolvers<readonly Noted[]>();
    const { process } = this.#child;
    const timer = setTimeout(
      () => reject(new Error(`the audience in ${this.region} has not done "${what.do}" in ${within} ms`)),
      within,
    );
    const died = () => reject(new Error(`the audience in ${this.region} has ended`));
    const stopped = () => reject(signal.reason);
    const { signal } = this.#options;
    signal.addEventListener('abort', stopped);
    process.once('exit', died);
    this.#asked.set(id, resolve);
    try {
      if (signal.aborted) stopped();
      else if (process.connected) process.send({ id, ...what });
      else died();
      return await promise;
    } finally {
      clearTimeout(timer);
      process.off('exit', died);
      signal.removeEventListener('abort', stopped);
      this.#asked.delete(id);
    }
  }

  #hear(message: unknown): void {
    const what = audienceReport.parse(message);
    if (what.is === 'log') this.#options.log(what.line);
    else if (what.is === 'done') this.#asked.get(what.id)?.(what.noted ?? []);
    else if (what.is === 'now') {
      const now = performance.now();
      this.lag = Math.max(this.lag, what.lag);
      for (const [index, { node, age }] of what.players.entries()) {
        const seat = this.seats[index];
        if (seat) Object.assign(seat, { node, pictureAt: now - age });
      }
    }
  }
}
