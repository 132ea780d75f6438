// @ts-check
// What setup tells the user, on stderr: stdout belongs to the program that npm runs afterwards.

const terminal = process.stderr.isTTY === true;
let lineIsOpen = false;

/** Prints a line. @param {string} text */
export function say(text) {
  process.stderr.write(`${lineIsOpen ? '\r\x1b[2K' : ''}setup: ${text}\n`);
  lineIsOpen = false;
}

/** Prints a line that the next one replaces; one that wraps could not be. @param {string} text */
function sayForNow(text) {
  process.stderr.write(`\r\x1b[2K${`setup: ${text}`.slice(0, process.stderr.columns - 1)}`);
  lineIsOpen = true;
}

/**
 * Runs a task between two lines, and meanwhile shows that it is alive: each second on a terminal, else every 15 s.
 * The task calls `report` to say how far it is.
 * @template T
 * @param {string} doing @param {string} done
 * @param {(report: (detail: string) => void) => Promise<T>} task
 * @returns {Promise<T>}
 */
export async function during(doing, done, task) {
  const started = Date.now();
  const seconds = () => (Date.now() - started) / 1000;
  let detail = '';
  const tick = () => {
    const text = `${doing} … ${detail && `${detail}, `}${seconds().toFixed(0)} s`;
    terminal ? sayForNow(text) : say(text);
  };
  say(`${doing} …`);
  const timer = setInterval(tick, terminal ? 1_000 : 15_000);
  try {
    const result = await task((text) => {
      detail = text;
    });
    say(`${done} (${seconds().toFixed(1)} s)`);
    return result;
  } finally {
    clearInterval(timer);
  }
}
