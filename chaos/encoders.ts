// A run's side of its encoders: their processes, what they last said, and orders to them.

import { fileURLToPath } from 'node:url';
import { Child } from '#local/children.ts';
import { type Order, type Place, type Report, report } from './encoder-messages.ts';

export interface EncoderOptions {
  name: string;
  /** Where it publishes at first, and where else it may. */
  places: readonly Place[];
  token: string;
  seed: number;
  log: (line: string) => void;
}

export class Encoder {
  readonly name: string;
  readonly places: readonly Place[];
  readonly child: Child;
  /** When it last connected, in performance.now()'s ms. */
  connectedAt = 0;
  #region: string | undefined;
  #awayUntil = 0;

  constructor({ name, places, token, seed, log }: EncoderOptions) {
    this.name = name;
    this.places = places;
    this.child = new Child({
      name: `encoder ${name}`,
      script: fileURLToPath(new URL('./encoder.ts', import.meta.url)),
      args: [name],
      env: {},
      restart: true,
      equip: async (process) => {
        this.#region = undefined;
        process.on('message', (message) => this.#hear(report.parse(message), log));
        process.once('exit', () => {
          this.#region = undefined;
        });
        const start = () => {
          if (process.connected)
            process.send({ do: 'publish', places: [...places], token, seed } satisfies Order);
        };
        setTimeout(start, Math.max(0, this.#awayUntil - performance.now()));
      },
    });
  }

  /** Where it is connected, undefined while it is not. */
  get region(): string | undefined {
    return this.#region;
  }

  tell(what: Order): void {
    const { process } = this.child;
    if (process.connected) process.send(what);
  }

  /** As a machine that loses its power: no word, no packet; it comes back after so many ms. */
  kill(away: number): void {
    this.#awayUntil = performance.now() + away;
    this.#region = undefined;
    this.child.process.kill('SIGKILL');
  }

  stop(): Promise<void> {
    return this.child.stop();
  }

  #hear(what: Report, log: (line: string) => void): void {
    if (what.is === 'ready') return;
    if (what.is === 'connected') {
      this.#region = what.region;
      this.connectedAt = performance.now();
      log(`encoder ${this.name} publishes in ${what.region}`);
      return;
    }
    if (what.is === 'lost') this.#region = undefined;
    log(`encoder ${this.name} ${what.is} in ${what.region}: ${what.why}`);
  }
}
