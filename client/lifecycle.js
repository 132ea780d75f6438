// What a player and a publisher have in common: one connection after another, until they are closed.
// @ts-check

import { BackOff } from './back-off.js';
import { Refused, Unreachable } from './errors.js';

/** @import { BackOffOptions } from './back-off.js' */
/** @import { End, Flow } from './connection.js' */

/** A connection that lasted less proves nothing: after it the waits go on growing, in ms. */
const STEADY = 30_000;
/** A new connection may take so long to show something before the old one is given up for it, in ms. */
const MOVING = 5_000;

/** @type {Readonly<Record<End, string>>} */
const ENDINGS = {
  closed: 'The connection was closed.',
  server: 'The server ended the connection.',
  superseded: 'Another publisher took the stream over.',
  lost: 'The connection broke.',
};

/**
 * - `idle`: not started;
 * - `joining`: the server is asked;
 * - `connecting`: it has answered, media is on its way;
 * - `playing`, of a publisher `live`: media flows;
 * - `stalled`: connected, but nothing arrives: the stream's publisher is away;
 * - `waiting`: for the next try, in `retryIn` ms;
 * - `closed`: by its own `close()`;
 * - `failed`: no try will help, `error` says why;
 * - `superseded`: of a publisher, another one took the stream over.
 * @template {string} Name
 * @typedef {object} State
 * @property {Name} name
 * @property {number} [retryIn] ms
 * @property {Error} [error] why it waits or failed
 */

/** @typedef {'idle' | 'joining' | 'connecting' | 'waiting' | 'closed' | 'failed'} CommonState */

/**
 * How the present try or connection came out: it ended, or could not be made after the last one had ended so.
 * @typedef {{ end: End } | { error: Error, lastEnd: End | undefined }} Outcome
 */

/**
 * What must be known of a connection.
 * @typedef {object} LifecycleConnection
 * @property {Flow} flow
 * @property {(flow: Flow) => void} onFlow
 * @property {Promise<void>} started
 * @property {Promise<End>} ended
 * @property {AbortSignal} signal
 * @property {() => Promise<void>} close
 */

/**
 * @template {string} Name
 * @template {LifecycleConnection} Connection
 * @typedef {object} LifecycleOptions
 * @property {string} url
 * @property {(url: string, signal: AbortSignal) => Promise<Connection>} connect
 * @property {(connection: Connection | undefined) => void} onConnection which one counts from now on
 * @property {(flow: Flow) => Name | CommonState} nameOf
 * @property {(outcome: Outcome) => Name | undefined} [stopsIn] a state to stop in, beside `closed` and `failed`
 * @property {(state: State<Name | CommonState>) => void} onState
 * @property {BackOffOptions | undefined} backOff
 */

/**
 * @template {string} Name
 * @template {LifecycleConnection} Connection
 */
export class Lifecycle {
  #options;
  #backOff;
  /** Of moves: a server that sends on whoever comes must not be asked without a pause. */
  #moves;
  /** When the last move was made, in ms. */
  #movedAt = Number.NEGATIVE_INFINITY;
  /** @type {State<Name | CommonState>} */
  #state = { name: 'idle' };
  #stopped = new AbortController();
  /** Of the present try or connection. */
  #attempt = new AbortController();
  /** @type {Connection | undefined} */
  #connection;
  /** Ends the present wait. */
  #wake = () => {};
  /**
   * Where each connection was told to go: also one that is still opened beside the one that plays.
   * @type {WeakMap<Connection, PromiseWithResolvers<string>>}
   */
  #told = new WeakMap();
  /** The page was left; in the back-forward cache it waits to be shown again. @type {PromiseWithResolvers<void> | undefined} */
  #away;
  /** @type {Promise<void> | undefined} */
  #running;

  /** @param {LifecycleOptions<Name, Connection>} options */
  constructor(options) {
    this.#options = options;
    this.#backOff = new BackOff(options.backOff);
    this.#moves = new BackOff(options.backOff);
  }

  get state() {
    return this.#state;
  }

  /** @throws Error when it was started before. */
  start() {
    if (this.#running !== undefined) throw new Error('This has been started before: make a new one.');
    const { signal } = this.#stopped;
    globalThis.addEventListener?.('pagehide', () => this.#leave(), { signal });
    globalThis.addEventListener?.('pageshow', () => this.#away?.resolve(), { signal });
    globalThis.addEventListener?.('online', () => this.retryNow(), { signal });
    this.#running = this.#run();
  }

  /** Ends the present wait. */
  retryNow() {
    this.#wake();
  }

  /**
   * Goes over to another place. What plays goes on until media comes from there.
   * @param {Connection} connection that was told to; it goes once
   * @param {string} url
   */
  move(connection, url) {
    this.#toldTo(connection).resolve(url);
  }

  /**
   * Idempotent.
   * @returns {Promise<void>} when the server knows that the session is over, or cannot be told
   */
  async close() {
    const connection = this.#connection;
    this.#stop({ name: 'closed' });
    await connection?.close();
    await this.#running;
  }

  /** @param {State<Name | CommonState>} state */
  #stop(state) {
    if (this.#stopped.signal.aborted) return;
    this.#say(state);
    this.#stopped.abort();
    this.#attempt.abort();
    this.#away?.resolve();
    this.#wake();
  }

  #leave() {
    this.#away ??= Promise.withResolvers();
    this.#attempt.abort();
    this.#connection?.close();
    this.#wake();
  }

  async #run() {
    /** @type {End | undefined} */
    let lastEnd;
    while (!this.#stopped.signal.aborted) {
      this.#attempt = new AbortController();
      /** @type {Outcome} */
      let outcome;
      try {
        lastEnd = await this.#connectAndAttend();
        outcome = { end: lastEnd };
      } catch (thrown) {
        outcome = { error: thrown instanceof Error ? thrown : new Error(String(thrown)), lastEnd };
      }
      // Whoever aborts an attempt says by itself what comes next.
      if (!this.#attempt.signal.aborted) await this.#goOnAfter(outcome);
      await this.#away?.promise;
      this.#away = undefined;
    }
  }

  async #connectAndAttend() {
    const { url, onConnection } = this.#options;
    this.#say({ name: 'joining' });
    let connection = await this.#connect(url);
    const started = performance.now();
    try {
      for (;;) {
        this.#adopt(connection);
        const outcome = await Promise.race([
          connection.ended.then((end) => ({ end })),
          this.#toldTo(connection).promise.then((to) => ({ to })),
        ]);
        if ('end' in outcome) return outcome.end;
        const next = await this.#openBeside(connection, outcome.to);
        if (next === undefined) return await connection.ended;
        connection.close();
        connection = next;
      }
    } finally {
      if (performance.now() - started >= STEADY) this.#backOff.reset();
      this.#connection = undefined;
      onConnection(undefined);
    }
  }

  /** @param {Connection} connection */
  #toldTo(connection) {
    /** @type {PromiseWithResolvers<string>} */
    const told = this.#told.get(connection) ?? Promise.withResolvers();
    this.#told.set(connection, told);
    return told;
  }

  /** @param {string} url */
  async #connect(url) {
    const { signal } = this.#attempt;
    const connection = await this.#options.connect(url, signal);
    if (signal.aborted) {
      connection.close();
      throw signal.reason;
    }
    return connection;
  }

  /** @param {Connection} connection */
  #adopt(connection) {
    const { nameOf, onConnection } = this.#options;
    this.#connection = connection;
    connection.onFlow = (flow) => this.#say({ name: nameOf(flow) });
    onConnection(connection);
    this.#say({ name: nameOf(connection.flow) });
  }

  /**
   * Opens the connection that comes after one that still plays: where it was told to go, else where it went at first. At
   * once, but for a move that soon follows another one: that waits, ever longer.
   * @param {Connection} old
   * @param {string} to
   * @returns {Promise<Connection | undefined>} undefined: the old one ended first
   */
  async #openBeside(old, to) {
    if (performance.now() - this.#movedAt >= STEADY) this.#moves.reset();
    else await this.#waitBeside(old, this.#moves.next());
    let url = to;
    while (!old.signal.aborted) {
      try {
        const next = await this.#connect(url);
        await Promise.race([next.started, old.ended, this.#sleep(MOVING)]);
        if (next.signal.aborted) throw new Error(ENDINGS[await next.ended]);
        if (!this.#attempt.signal.aborted) {
          this.#movedAt = performance.now();
          return next;
        }
        next.close();
      } catch (error) {
        url = this.#options.url;
        await this.#waitBeside(old, this.#moves.next(askedWait(error)));
      }
    }
    return undefined;
  }

  /**
   * @param {Connection} old ends the wait with itself
   * @param {number} wait ms
   */
  async #waitBeside(old, wait) {
    await Promise.race([old.ended, this.#sleep(wait)]);
  }

  /** @param {Outcome} outcome */
  async #goOnAfter(outcome) {
    const error = 'error' in outcome ? outcome.error : new Error(ENDINGS[outcome.end]);
    const name = this.#options.stopsIn?.(outcome) ?? (canPass(error, outcome) ? undefined : 'failed');
    if (name !== undefined) {
      this.#stop({ name, error });
      return;
    }
    const retryIn = this.#backOff.next(askedWait(error));
    this.#say({ name: 'waiting', retryIn, error });
    await this.#sleep(retryIn);
  }

  /**
   * @param {number} wait ms; shorter when it is woken or stopped
   * @returns {Promise<void>}
   */
  #sleep(wait) {
    const { promise, resolve } = Promise.withResolvers();
    const timer = setTimeout(resolve, wait);
    this.#wake = () => resolve(undefined);
    return promise.finally(() => clearTimeout(timer));
  }

  /** @param {State<Name | CommonState>} state */
  #say(state) {
    if (this.#stopped.signal.aborted || (state.name === this.#state.name && state.name !== 'waiting')) return;
    this.#state = state;
    this.#options.onState(state);
  }
}

/**
 * @param {Error} error
 * @param {Outcome} outcome
 */
const canPass = (error, outcome) =>
  'end' in outcome || error instanceof Unreachable || (error instanceof Refused && error.isPassing);

/**
 * What the server asked us to wait, in ms.
 * @param {unknown} error
 */
const askedWait = (error) => (error instanceof Refused ? error.retryAfter : undefined);
