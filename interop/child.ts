// The run's side of a client: its process, what it last said, and its end.

import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import { type Message, message } from './messages.ts';

/** ms for a client to end its session and itself once its stdin is closed: a browser's end takes seconds on a busy machine. */
const STOP = 10_000;
/** Of what it printed on stderr, for the reader of a failure. */
const KEPT_LINES = 8;

export interface ClientCommand {
  command: string;
  args: readonly string[];
}

/** Emits `message` for each line, and `exit`. */
export class ClientProcess extends EventEmitter<{ message: [Message]; exit: [] }> {
  /** The last one. */
  last: Message | undefined;
  readonly #process: ChildProcess;
  readonly #stderr: string[] = [];
  #over = false;

  /** @param args of the client: `about`, `publish URL TOKEN FORM` or `view URL CODEC`. */
  constructor({ command, args: first }: ClientCommand, args: readonly string[]) {
    super();
    // A group of its own, so that its encoders and browsers end with it whatever it does.
    const child = spawn(command, [...first, ...args], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#process = child;
    child.once('error', (error) => this.#fail(`cannot run ${command}: ${error.message}`));
    // It may be gone when its stdin is closed.
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line));
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#stderr.push(line);
      if (this.#stderr.length > KEPT_LINES) this.#stderr.shift();
    });
    child.once('close', (code, signal) => {
      this.#over = true;
      if (this.last === undefined)
        this.#fail(`it ended without a word (${signal ?? `exit code ${code}`}): ${this.#stderr.join(' | ')}`);
      this.emit('exit');
    });
  }

  /** Its end has been heard, and all that it had said. */
  get hasEnded(): boolean {
    return this.#over;
  }

  /** Of a client that was to stay: what it left behind. */
  get ending(): string {
    const { exitCode, signalCode } = this.#process;
    const how = signalCode ?? `exit code ${exitCode}`;
    return `${how}: ${this.last?.is === 'failed' ? this.last.why : this.#stderr.join(' | ')}`;
  }

  /**
   * The first message that is wanted.
   * @param within ms
   * @throws Error when the client fails, ends, or says no such thing in that time.
   */
  async until<Wanted extends Message>(
    isWanted: (what: Message) => what is Wanted,
    within: number,
  ): Promise<Wanted> {
    const found = Promise.withResolvers<Wanted>();
    const look = (what: Message | undefined) => {
      if (what && isWanted(what)) found.resolve(what);
      else if (what?.is === 'failed' || what?.is === 'missing') found.reject(new Error(what.why));
      else if (this.hasEnded) found.reject(new Error(`the client ended: ${this.ending}`));
    };
    const hear = (what: Message) => look(what);
    const ended = () => look(this.last);
    const timer = setTimeout(
      () =>
        found.reject(
          new Error(`not within ${within / 1000} s; its last word: ${JSON.stringify(this.last) ?? 'none'}`),
        ),
      within,
    );
    this.on('message', hear).on('exit', ended);
    look(this.last);
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      this.off('message', hear).off('exit', ended);
    }
  }

  /** Closes its stdin, at which it ends its session and itself, and kills what is left. Idempotent. */
  async stop(): Promise<void> {
    const child = this.#process;
    if (!this.hasEnded) {
      const exited = once(child, 'close');
      child.stdin?.end();
      const timer = setTimeout(() => this.#kill(), STOP);
      await exited;
      clearTimeout(timer);
    }
    this.#kill();
  }

  #kill(): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // None of the group is left.
    }
  }

  #hear(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      // Libraries print on stdout, too.
      this.#stderr.push(line);
      return;
    }
    const { data, error } = message.safeParse(value);
    if (data) this.#note(data);
    else this.#fail(`it said ${line}: ${error.message}`);
  }

  #fail(why: string): void {
    this.#note({ is: 'failed', why });
  }

  #note(what: Message): void {
    this.last = what;
    this.emit('message', what);
  }
}
