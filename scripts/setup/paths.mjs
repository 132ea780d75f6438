// @ts-check
// Where things are: this tree, and the user's cache, which all clones share.
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** @returns {string} */
function userCache() {
  const configured = process.env.XDG_CACHE_HOME;
  // The XDG specification says to ignore a relative path.
  return configured && path.isAbsolute(configured) ? configured : path.join(os.homedir(), '.cache');
}

export const LAMBDA_RUNTIME_CACHE = path.join(userCache(), 'meridian', 'lambda-runtime');
export const LOAD_CACHE = path.join(userCache(), 'meridian', 'load-generator');
export const WORKER_CACHE = path.join(userCache(), 'meridian', 'mediasoup-worker');
