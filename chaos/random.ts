// Seeded choices: the same seed makes the same ones, as long as the world offers the same to choose from.

import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export class Random {
  readonly #generator;

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(seed);
  }

  /** A whole number, both ends included. */
  integer(from: number, to: number): number {
    return uniformInt(this.#generator, from, to);
  }

  /** One of them, or undefined of none. */
  pick<T>(from: readonly T[]): T | undefined {
    return from.length === 0 ? undefined : from[this.integer(0, from.length - 1)];
  }

  shuffled<T>(items: readonly T[]): T[] {
    const rest = [...items];
    const order: T[] = [];
    while (rest.length > 0) order.push(...rest.splice(this.integer(0, rest.length - 1), 1));
    return order;
  }
}
