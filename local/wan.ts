// The wide area between the switches of regions (wan.py): links that delay and lose packets as they are told.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { hasEnded } from './children.ts';

/** The way from one region to another; the way back is alike. */
export interface Link {
  /** Milliseconds each way. */
  delay: number;
  /** Milliseconds that a packet is delayed besides, at most; packets stay in order. */
  jitter: number;
  /** Percent of the packets, drawn from a fixed seed. */
  loss: number;
}

/** What a link has done with packets, both ways together. */
export type LinkCounts = z.infer<typeof linkCounts>;
const linkCounts = z.object({ carried: z.number(), lost: z.number() });

export interface WanOptions {
  /** The beginning of a command that runs where the switches are. */
  enter: readonly string[];
  /** Each region's end: the name of a network device that is made, to be plugged into the region's switch. */
  devices: ReadonlyMap<string, string>;
}

/** Links between every two regions; all begin as if there were no distance. */
export class Wan {
  readonly #process: ChildProcess;
  readonly #send: (line: string) => void;
  readonly #answers: AsyncIterator<string>;

  private constructor(process: ChildProcess, send: (line: string) => void, answers: AsyncIterator<string>) {
    this.#process = process;
    this.#send = send;
    this.#answers = answers;
  }

  /** @throws Error when it does not start; its own message is on stderr. */
  static async open({ enter: [command = '', ...entry], devices }: WanOptions): Promise<Wan> {
    const script = fileURLToPath(new URL('./wan.py', import.meta.url));
    const ends = JSON.stringify(Object.fromEntries(devices));
    const process = spawn(command, [...entry, 'python3', script, ends], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const send = (line: string) => void process.stdin.write(`${line}\n`);
    // It may end before we do; whoever waits for an answer learns that.
    process.stdin.on('error', () => undefined);
    const answers = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
    const wan = new Wan(process, send, answers);
    await wan.#answer();
    return wan;
  }

  /** Changes the link between two regions, in both directions; packets under way are not concerned. */
  async set(between: readonly [string, string], link: Link): Promise<void> {
    await this.#ask({ between, link });
  }

  /** Packets on a link since the start. */
  async counts(between: readonly [string, string]): Promise<LinkCounts> {
    return this.#ask({ between });
  }

  /** Its devices go with it. */
  async close(): Promise<void> {
    if (hasEnded(this.#process)) return;
    const exited = once(this.#process, 'exit');
    this.#process.stdin?.end();
    await exited;
  }

  async #ask(command: { between: readonly [string, string]; link?: Link }): Promise<LinkCounts> {
    // Answers come in the order of the commands.
    this.#send(JSON.stringify(command));
    return linkCounts.parse(JSON.parse(await this.#answer()));
  }

  async #answer(): Promise<string> {
    const { done, value } = await this.#answers.next();
    if (done) throw new Error('the WAN (local/wan.py) has ended; its message is above');
    return value;
  }
}
