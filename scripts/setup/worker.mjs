// @ts-check
// mediasoup's worker in node_modules: from the user's cache, which is filled by a download or, failing that, a build.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { withTemporaryDirectory } from './children.mjs';
import { SetupError } from './error.mjs';
import { withLock } from './lock.mjs';
import { ROOT, WORKER_CACHE } from './paths.mjs';
import { say } from './progress.mjs';
import { buildWorker, RECIPE } from './worker-build.mjs';
import { downloadWorker } from './worker-download.mjs';

const NAME = 'mediasoup-worker';
const PACKAGE = path.join(ROOT, 'node_modules', 'mediasoup');
/** Where mediasoup looks for it. */
const TARGET = path.join(PACKAGE, 'worker', 'out', 'Release', NAME);
/** Which entry of the cache TARGET is from. Without this file, mediasoup's own install step or the user put it there. */
const TARGET_KEY = `${TARGET}.key`;
/** The exit code of a worker that starts, and finds that no mediasoup started it. */
const STARTED_BY_HAND = 41;

/** @type {import('../setup.mjs').Step} */
export const worker = { isReady, make };

function isReady() {
  const own = process.env.MEDIASOUP_WORKER_BIN;
  if (own) return runs(own);
  const key = readIfThere(TARGET_KEY);
  return runs(TARGET) && (key === undefined || key === cacheKey());
}

async function make() {
  const own = process.env.MEDIASOUP_WORKER_BIN;
  if (own)
    throw new SetupError(`MEDIASOUP_WORKER_BIN is ${own}, which does not run as a mediasoup worker here`);
  const key = cacheKey();
  const entry = path.join(WORKER_CACHE, key);
  if (!isIntact(entry)) await fill(entry);
  install(entry, key);
}

/** @param {string} entry */
async function fill(entry) {
  makeCacheDirectory();
  await withLock(WORKER_CACHE, 'another setup to provide the mediasoup worker', async () => {
    if (isIntact(entry)) return; // The other setup has.
    removeLeftovers();
    const temporary = `${entry}.tmp-${process.pid}`;
    await withTemporaryDirectory(temporary, async () => {
      const made = path.join(temporary, 'made');
      const binary = path.join(made, NAME);
      fs.mkdirSync(made);
      await obtain(binary, temporary);
      fs.writeFileSync(`${binary}.sha256`, checksum(binary));
      fs.rmSync(entry, { recursive: true, force: true });
      fs.renameSync(made, entry);
    });
  });
}

/** @param {string} binary @param {string} temporary */
async function obtain(binary, temporary) {
  const problem = await downloadWorker(version(), binary);
  if (problem === undefined && runs(binary)) return;
  say(
    `no prebuilt mediasoup worker: ${problem ?? 'it does not run on this system'}; building it from source`,
  );
  await buildWorker(PACKAGE, binary, temporary);
  if (!runs(binary)) throw new SetupError('the mediasoup worker that was just built does not run');
}

/** The old binary goes first: broken off, this leaves none, not one with the wrong key. @param {string} entry @param {string} key */
function install(entry, key) {
  fs.mkdirSync(path.dirname(TARGET), { recursive: true });
  fs.rmSync(TARGET, { force: true });
  fs.writeFileSync(TARGET_KEY, key);
  const temporary = `${TARGET}.tmp-${process.pid}`;
  fs.copyFileSync(path.join(entry, NAME), temporary);
  fs.renameSync(temporary, TARGET);
}

/** Whether the entry is what was put there: a binary that lost its end may well start. @param {string} entry */
function isIntact(entry) {
  const binary = path.join(entry, NAME);
  const expected = readIfThere(`${binary}.sha256`);
  return expected !== undefined && fs.existsSync(binary) && expected === checksum(binary) && runs(binary);
}

/** A missing library, or another system's binary, shows at once. @param {string} binary */
function runs(binary) {
  return spawnSync(binary, { env: {}, stdio: 'ignore', timeout: 10_000 }).status === STARTED_BY_HAND;
}

/** In the format of sha256sum. @param {string} binary */
function checksum(binary) {
  return `${createHash('sha256').update(fs.readFileSync(binary)).digest('hex')}  ${NAME}\n`;
}

/** Changes with everything that a binary depends on: mediasoup, the machine, the system's libraries, our recipe. */
function cacheKey() {
  return [version(), process.platform, process.arch, distribution(), recipe()].join('-');
}

/** @returns {string} */
function version() {
  return JSON.parse(fs.readFileSync(path.join(PACKAGE, 'package.json'), 'utf8')).version;
}

/** Within a release of a distribution its libraries stay compatible. Example: debian12 */
function distribution() {
  const release = readIfThere('/etc/os-release') ?? '';
  const [id, number, name] = ['ID', 'VERSION_ID', 'VERSION_CODENAME'].map(
    (field) => new RegExp(`^${field}="?([\\w.]+)`, 'm').exec(release)?.[1] ?? '',
  );
  return `${id}${number || name}`;
}

function recipe() {
  const hash = createHash('sha256');
  for (const file of fs.readdirSync(RECIPE, { recursive: true, encoding: 'utf8' }).sort()) {
    const full = path.join(RECIPE, file);
    if (fs.statSync(full).isFile()) hash.update(`${file}\0`).update(fs.readFileSync(full));
  }
  return hash.digest('hex').slice(0, 12);
}

function makeCacheDirectory() {
  try {
    fs.mkdirSync(WORKER_CACHE, { recursive: true });
    fs.accessSync(WORKER_CACHE, fs.constants.W_OK);
  } catch (error) {
    throw new SetupError(`cannot write to ${WORKER_CACHE} (${error}); XDG_CACHE_HOME can name another place`);
  }
}

/** Of setups that were killed. Under the lock, nobody else is at work here. */
function removeLeftovers() {
  for (const name of fs.readdirSync(WORKER_CACHE).filter((entry) => /\.tmp-\d+$/.test(entry))) {
    fs.rmSync(path.join(WORKER_CACHE, name), { recursive: true, force: true, maxRetries: 5 });
  }
}

/** @param {string} file */
function readIfThere(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
