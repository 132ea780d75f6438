// @ts-check
// The worker that mediasoup's project has built for this system, from its releases on GitHub: the same download as in
// mediasoup's own install step (npm-scripts.mjs), but one that gives up fast. The project publishes no checksums.
import fs from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { run } from './children.mjs';
import { CommandError } from './error.mjs';
import { during } from './progress.mjs';

const RELEASES = 'https://github.com/versatica/mediasoup/releases/download';
/** For the first byte, and between any two parts. */
const SILENCE_MS = 5_000;
const TOTAL_MS = 120_000;

/**
 * What the worker is to run on. mediasoup's rule: the major version of the kernel, on Linux only.
 * @typedef {{ architecture: string, kernel: number }} Target
 */

/** @type {Target} */
const THIS_MACHINE = { architecture: process.arch, kernel: Number.parseInt(os.release(), 10) };

/**
 * Puts the worker at `binary`, or says why it cannot.
 * @param {string} version @param {string} binary @param {Target} [target]
 * @returns {Promise<string | undefined>}
 */
export async function downloadWorker(version, binary, target = THIS_MACHINE) {
  const base = process.env.MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL || RELEASES;
  const url = `${base}/${version}/${archiveName(version, target)}`;
  const archive = `${binary}.tgz`;
  try {
    await during('downloading the mediasoup worker', 'mediasoup worker downloaded', async () => {
      await download(url, archive);
      await run('tar', ['-xzf', archive, '-C', path.dirname(binary), path.basename(binary)]);
      fs.chmodSync(binary, 0o755);
    });
    return undefined;
  } catch (error) {
    return reason(error);
  } finally {
    fs.rmSync(archive, { force: true });
  }
}

/** @param {string} version @param {Target} target */
function archiveName(version, { architecture, kernel }) {
  const suffix = process.platform === 'linux' ? `-kernel${kernel}` : '';
  return `mediasoup-worker-${version}-${process.platform}-${architecture}${suffix}.tgz`;
}

/** @param {string} url @param {string} file */
async function download(url, file) {
  const abort = new AbortController();
  const giveUp = (/** @type {number} */ ms, /** @type {string} */ why) =>
    setTimeout(() => abort.abort(new Error(`${why} within ${ms / 1000} s`)), ms);
  const silence = giveUp(SILENCE_MS, 'no data');
  const total = giveUp(TOTAL_MS, 'not complete');
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok || !response.body)
      throw new Error(`${response.status} ${response.statusText} from ${url}`);
    await writeFile(file, withRefresh(response.body, silence));
  } finally {
    clearTimeout(silence);
    clearTimeout(total);
    abort.abort(); // Closes the connection where the answer was not read.
  }
}

/** @param {AsyncIterable<Uint8Array>} body @param {NodeJS.Timeout} timer */
async function* withRefresh(body, timer) {
  for await (const part of body) {
    timer.refresh();
    yield part;
  }
}

/** fetch hides the reason in `cause`; tar's is in its output. @param {unknown} error */
function reason(error) {
  if (error instanceof CommandError) return [error.message, ...error.output].join('; ');
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
