// @ts-check
// The errors that setup expects: their message tells the user what to do, and no stack trace helps.

export class SetupError extends Error {}

/** A command that failed, with everything that it printed. */
export class CommandError extends SetupError {
  /** @param {string} message @param {string[]} output */
  constructor(message, output) {
    super(message);
    this.output = output;
  }
}
