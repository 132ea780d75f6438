// @ts-check
// Lets one setup at a time work on a directory. The lock is the kernel's, held by flock(1) on the directory itself:
// it ends with this process, however that ends, so there is no stale lock and no lock file.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { during } from './progress.mjs';

const BUSY = 75;

/**
 * Where there is no flock(1), or the file system cannot lock, the task runs without a lock: then two setups at once do the
 * same work twice.
 * @template T
 * @param {string} directory @param {string} other what holds the lock if it is taken
 * @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
export async function withLock(directory, other, task) {
  const release = (await tryLock(directory)) ?? (await waitForLock(directory, other));
  try {
    return await task();
  } finally {
    release();
  }
}

/** @param {string} directory @param {string} other */
async function waitForLock(directory, other) {
  return await during(`waiting for ${other}`, `${other} has finished`, async () => {
    for (;;) {
      await sleep(250);
      const release = await tryLock(directory);
      if (release) return release;
    }
  });
}

/**
 * Returns what releases the lock, or undefined if somebody else holds it.
 * @param {string} directory
 * @returns {Promise<(() => void) | undefined>}
 */
async function tryLock(directory) {
  // `cat` ends when our end of its pipe closes. It has its own session, because an interrupt from the terminal must not
  // release the lock before we have cleaned up.
  const args = [
    '--exclusive',
    '--nonblock',
    '--conflict-exit-code',
    `${BUSY}`,
    directory,
    'sh',
    '-c',
    'echo locked; exec cat',
  ];
  const holder = spawn('flock', args, { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  const outcome = await Promise.race([
    once(holder.stdout, 'data').then(() => 'locked'),
    once(holder, 'exit').then(([code]) => (code === BUSY ? 'busy' : 'unlocked')),
    once(holder, 'error').then(() => 'unlocked'),
  ]).catch(() => 'unlocked');
  if (outcome === 'busy') return undefined;
  return () => holder.stdin.destroy();
}
