// @ts-check
// The browser that the tests drive: CHROMIUM_BIN if it is set, else the system's.
import fs from 'node:fs';
import { ensureDebianPackages } from './debian-packages.mjs';
import { SetupError } from './error.mjs';

const DEFAULT = '/usr/bin/chromium';

/** @type {import('../setup.mjs').Step} */
export const chromium = { isReady: () => isExecutable(process.env.CHROMIUM_BIN || DEFAULT), make: install };

async function install() {
  const own = process.env.CHROMIUM_BIN;
  if (own) throw new SetupError(`CHROMIUM_BIN is ${own}, which is not an executable file`);
  await ensureDebianPackages(['chromium'], {
    purpose: 'to run the browser tests',
    otherwise: 'Or set CHROMIUM_BIN to a Chromium or Chrome that is installed elsewhere.',
  });
  if (!chromium.isReady())
    throw new SetupError(`the package chromium is installed, but ${DEFAULT} is not there`);
}

/** @param {string} file */
function isExecutable(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}
