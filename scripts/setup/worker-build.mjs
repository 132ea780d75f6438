// @ts-check
// Builds mediasoup's worker from its source with scripts/mediasoup-worker/build.sh, and shows how far it is.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from './children.mjs';
import { ensureDebianPackages } from './debian-packages.mjs';
import { CommandError, SetupError } from './error.mjs';
import { ROOT } from './paths.mjs';
import { during } from './progress.mjs';

export const RECIPE = path.join(ROOT, 'scripts', 'mediasoup-worker');
const CORE_MINUTES = 10;

/** @param {string} mediasoup its package's directory @param {string} binary @param {string} temporary */
export async function buildWorker(mediasoup, binary, temporary) {
  await ensureDebianPackages(packages(), {
    purpose: 'to build the mediasoup worker',
    otherwise: 'Or set MEDIASOUP_WORKER_BIN to a mediasoup worker of the same version.',
  });
  const minutes = Math.ceil(CORE_MINUTES / os.availableParallelism());
  const doing = `building the mediasoup worker (about ${minutes} min)`;
  await during(doing, 'mediasoup worker built', (report) => build([mediasoup, binary], temporary, report));
}

/** @param {string[]} args @param {string} temporary @param {(detail: string) => void} report */
async function build(args, temporary, report) {
  try {
    await run(path.join(RECIPE, 'build.sh'), args, {
      env: { ...process.env, TMPDIR: temporary, LC_ALL: 'C.UTF-8' },
      onLine: (line) => {
        const progress = progressOf(line);
        if (progress) report(progress);
      },
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new SetupError([...failureIn(error.output), 'the mediasoup worker could not be built'].join('\n'));
  }
}

function packages() {
  const lines = fs.readFileSync(path.join(RECIPE, 'packages.txt'), 'utf8').split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith('#'));
}

/** build.sh announces its stages with "-- "; ninja begins each line with "[done/all]". @param {string} line */
function progressOf(line) {
  const done = /^\[(\d+\/\d+)\]/.exec(line)?.[1];
  return done ? `compiled ${done}` : /^-- (.*)/.exec(line)?.[1];
}

/** From where ninja says what failed; else the end. @param {string[]} output */
function failureIn(output) {
  const failed = output.findIndex((line) => line.startsWith('FAILED: '));
  return failed === -1 ? output.slice(-60) : output.slice(failed);
}
