// What the model throws where the system would have broken a promise.

export class Violation extends Error {
  override name = 'Violation';
}

export function violation(what: string): never {
  throw new Violation(what);
}

/** For what the model itself gets wrong: an index that names nothing. */
export function known<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the model names ${what}, which is not there`);
  return value;
}
