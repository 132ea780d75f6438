// @ts-check
// node_modules as package-lock.json says. It brings Node 24 too, as a package, for the npm scripts that follow.
import fs from 'node:fs';
import path from 'node:path';
import { run } from './children.mjs';
import { CommandError, SetupError } from './error.mjs';
import { ROOT } from './paths.mjs';
import { during } from './progress.mjs';

/** npm writes it as the last act of an install that succeeded. */
const INSTALLED = 'node_modules/.package-lock.json';
const NPM_OPTIONS = [
  // mediasoup's install script would download its worker, or build it in a way that needs more downloads.
  '--ignore-scripts',
  '--no-save',
  // What follows overrides the settings of the npm that runs us, and the user's.
  `--prefix=${ROOT}`,
  '--no-global',
  '--no-dry-run',
  '--no-engine-strict',
  '--include=dev',
  '--include=optional',
  '--no-audit',
  '--no-fund',
  '--no-progress',
  '--no-update-notifier',
  '--loglevel=error',
];

/**
 * @typedef {object} LockedPackage
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {boolean} [optional]
 * @property {string | string[]} [os]
 * @property {string | string[]} [cpu]
 * @property {string | string[]} [libc]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [devDependencies]
 * @property {Record<string, string>} [optionalDependencies]
 *
 * @typedef {{ packages: Record<string, LockedPackage> }} Lockfile
 */

/** @type {import('../setup.mjs').Step} */
export const dependencies = { isReady: () => lockIsCurrent() && notInstalled().length === 0, make: install };

async function install() {
  if (!lockIsCurrent()) {
    throw new SetupError(
      'package-lock.json does not belong to package.json; run: npm install --ignore-scripts',
    );
  }
  await during('installing dependencies (npm)', 'dependencies ready', async () => {
    await npmInstall();
    const missing = notInstalled();
    // npm says nothing when it cannot get an optional package, but this machine's Node 24 and native bindings are such.
    if (missing.length > 0) throw new SetupError(`npm did not install ${missing.join(', ')}; try again`);
  });
}

/**
 * Not `npm ci`: it refuses a package-lock.json that lacks another platform's optional packages, as npm writes it when a
 * registry does not have them. What was installed is checked against the lock anyway.
 */
async function npmInstall() {
  const marker = path.join(ROOT, INSTALLED);
  if (!fs.existsSync(marker)) fs.rmSync(path.join(ROOT, 'node_modules'), { recursive: true, force: true });
  fs.rmSync(marker, { force: true });
  try {
    await run('npm', ['install', ...NPM_OPTIONS], { cwd: ROOT, env: environmentForNpm() });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new SetupError(['npm install failed', ...error.output].join('\n'));
  }
}

/** Without our own node_modules/.bin in the PATH: its node may be about to be replaced. */
function environmentForNpm() {
  const bin = path.join(ROOT, 'node_modules', '.bin');
  const directories = (process.env.PATH ?? '').split(path.delimiter);
  return { ...process.env, PATH: directories.filter((entry) => entry !== bin).join(path.delimiter) };
}

function lockIsCurrent() {
  /** @type {LockedPackage | undefined} */
  const wanted = readJson('package.json');
  const locked = readLock('package-lock.json')[''];
  const parts = /** @type {const} */ (['dependencies', 'devDependencies', 'optionalDependencies']);
  return parts.every((part) => isSame(wanted?.[part] ?? {}, locked?.[part] ?? {}));
}

/** @param {Record<string, string>} one @param {Record<string, string>} other */
function isSame(one, other) {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

/** What package-lock.json lists for this machine and node_modules does not have: everything, if an install broke off. */
function notInstalled() {
  const installed = readLock(INSTALLED);
  return Object.entries(readLock('package-lock.json'))
    .filter(([name, locked]) => {
      const found = installed[name];
      if (name === '') return false;
      if (!found) return isForThisMachine(locked);
      return found.version !== locked.version || found.integrity !== locked.integrity;
    })
    .map(([name]) => name.replace('node_modules/', ''));
}

/** An optional package that names no platform belongs to one for another platform. @param {LockedPackage} locked */
function isForThisMachine({ optional, os, cpu, libc }) {
  if (!optional) return true;
  return matches(os, process.platform) && matches(cpu, process.arch) && (!libc || matches(libc, 'glibc'));
}

/** @param {string | string[] | undefined} allowed @param {string} value */
function matches(allowed, value) {
  return allowed !== undefined && [allowed].flat().includes(value);
}

/** @param {string} file @returns {Record<string, LockedPackage>} */
function readLock(file) {
  /** @type {Lockfile | undefined} */
  const lock = readJson(file);
  return lock?.packages ?? {};
}

/** Undefined where the file is missing or broken. @param {string} file */
function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(path.join(ROOT, file), 'utf8'));
  } catch {
    return undefined;
  }
}
