// @ts-check
// Installs packages of Debian or Ubuntu, as root; tells anybody else what to install.
import { spawnSync } from 'node:child_process';
import { run } from './children.mjs';
import { CommandError, SetupError } from './error.mjs';
import { withLock } from './lock.mjs';
import { during } from './progress.mjs';

// Another package manager may be at work, for instance the one that installs upgrades after a boot.
const INSTALL = ['apt-get', 'install', '-y', '--no-install-recommends'];
const OPTIONS = ['-q', '-o', 'DPkg::Lock::Timeout=600'];

/**
 * @typedef {object} Why
 * @property {string} purpose what the packages are for, as the beginning of a sentence
 * @property {string} otherwise what a user can do instead
 */

/** @param {string[]} names @param {Why} why */
export async function ensureDebianPackages(names, why) {
  const missing = notInstalled(names);
  if (missing === undefined) {
    throw new SetupError(`${why.purpose}, packages of Debian or Ubuntu are needed. ${why.otherwise}`);
  }
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) {
    const command = `sudo ${INSTALL.join(' ')} ${missing.join(' ')}`;
    throw new SetupError(
      `${why.purpose}, packages are missing. Try again after:\n  ${command}\n${why.otherwise}`,
    );
  }
  await during(`installing ${missing.join(' ')} (apt-get)`, 'packages ready', async (report) => {
    await withLock('/var/lib/apt', 'another setup that installs packages', () =>
      install(missing, why, report),
    );
  });
}

/** Undefined where this is not a Debian. @param {string[]} names */
function notInstalled(names) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the placeholders are dpkg-query's
  const format = '${Package} ${db:Status-Status}\n';
  const query = spawnSync('dpkg-query', ['-W', '-f', format, ...names], { encoding: 'utf8' });
  if (query.error) return undefined;
  const lines = new Set(query.stdout.split('\n'));
  return names.filter((name) => !lines.has(`${name} installed`));
}

/** @param {string[]} names @param {Why} why @param {(detail: string) => void} report */
async function install(names, why, report) {
  try {
    // Most machines have usable lists of packages, and fetching new ones takes longer than many an install.
    await aptGet([...INSTALL.slice(1), ...names], report).catch(async () => {
      await aptGet(['update'], report);
      await aptGet([...INSTALL.slice(1), ...names], report);
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const command = `${INSTALL.join(' ')} ${names.join(' ')}`;
    throw new SetupError(
      [
        ...error.output,
        `${why.purpose}, packages are missing, and this failed:`,
        `  ${command}`,
        why.otherwise,
      ].join('\n'),
    );
  }
}

/** @param {string[]} args @param {(detail: string) => void} report */
async function aptGet(args, report) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  // Killed half-way, dpkg would leave the system with packages that are not configured.
  await run('apt-get', [...OPTIONS, ...args], {
    env,
    finishes: true,
    onLine: (line) => report(progressOf(line)),
  });
}

/** "Unpacking libuv1-dev:amd64 (1.44.2-1) ..." → "Unpacking libuv1-dev" @param {string} line */
function progressOf(line) {
  return line
    .split(/[ :(]+/)
    .slice(0, 2)
    .join(' ');
}
