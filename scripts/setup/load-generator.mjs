// @ts-check
// The load generator of bench/load, built from its source with the system's libraries; kept for all clones with the same.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run, withTemporaryDirectory } from './children.mjs';
import { ensureDebianPackages } from './debian-packages.mjs';
import { CommandError, SetupError } from './error.mjs';
import { withLock } from './lock.mjs';
import { LOAD_CACHE, ROOT } from './paths.mjs';
import { during } from './progress.mjs';

const SOURCE = path.join(ROOT, 'bench', 'load');
const PACKAGES = ['g++', 'make', 'libssl-dev', 'libsrtp2-dev'];

const ENTRY = path.join(LOAD_CACHE, key());

/** The program. */
export const LOAD_GENERATOR = path.join(ENTRY, 'load');
/** Its unit tests. */
export const LOAD_TEST = path.join(ENTRY, 'load-test');

/** @type {import('../setup.mjs').Step} */
export const loadGenerator = { isReady: () => fs.existsSync(LOAD_GENERATOR), make };

async function make() {
  await ensureDebianPackages(PACKAGES, {
    purpose: 'to build the load generator',
    otherwise: 'It is needed by npm test and by npm run bench -- fanout and churn only.',
  });
  fs.mkdirSync(LOAD_CACHE, { recursive: true });
  await withLock(LOAD_CACHE, 'another setup to build the load generator', async () => {
    if (loadGenerator.isReady()) return; // The other setup has.
    const temporary = `${ENTRY}.tmp-${process.pid}`;
    await withTemporaryDirectory(temporary, async () => {
      await during('building the load generator', 'load generator built', () => build(temporary));
      fs.rmSync(ENTRY, { recursive: true, force: true });
      fs.renameSync(temporary, ENTRY);
    });
  });
}

/** @param {string} directory */
async function build(directory) {
  try {
    await run('make', [`-j${os.availableParallelism()}`, '-C', SOURCE, `OUT=${directory}`]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new SetupError([...error.output.slice(-30), 'the load generator could not be built'].join('\n'));
  }
}

/** Changes with the source, the machine, and the libraries, which stay compatible within a release of a distribution. */
function key() {
  const hash = createHash('sha256').update(`${process.arch} `);
  if (fs.existsSync('/etc/os-release')) hash.update(fs.readFileSync('/etc/os-release'));
  for (const file of fs.readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).sort()) {
    const full = path.join(SOURCE, file);
    if (/(\.(h|cc)|Makefile)$/.test(file)) hash.update(`${file}\0`).update(fs.readFileSync(full));
  }
  return hash.digest('hex').slice(0, 16);
}
