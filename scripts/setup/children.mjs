// @ts-check
// Runs the commands of setup, and leaves no process and no temporary directory behind when it is interrupted.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError } from './error.mjs';
import { say } from './progress.mjs';

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {(line: string) => void} [onLine] called with each line that the command prints
 * @property {boolean} [finishes] the command must not be killed: on an interrupt it is asked to stop and waited for
 *
 * @typedef {{ pid: number, finishes: boolean, closed: Promise<void> }} Running
 */

/** @type {Set<Running>} */
const running = new Set();
/** @type {Set<string>} */
const temporaryDirectories = new Set();
let interrupted = false;

/**
 * Runs a command and returns what it printed, line by line. Throws a CommandError when it fails.
 * @param {string} command @param {string[]} args @param {RunOptions} [options]
 * @returns {Promise<string[]>}
 */
export function run(command, args, { cwd, env, onLine, finishes = false } = {}) {
  // A process group of its own, so that an interrupt reaches the command's children as well.
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  /** @type {string[]} */
  const output = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output.push(line);
      onLine?.(line);
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(new CommandError(`cannot run ${command}: ${error.message}`, output)),
    );
    if (child.pid === undefined) return;
    /** @type {Running} */
    const entry = {
      pid: child.pid,
      finishes,
      closed: new Promise((done) => child.once('close', () => done())),
    };
    running.add(entry);
    child.once('close', (code, signal) => {
      running.delete(entry);
      if (interrupted) return; // stopEverything() is about to end the process.
      if (code === 0) resolve(output);
      else
        reject(
          new CommandError(`${command} failed (${code === null ? signal : `exit code ${code}`})`, output),
        );
    });
  });
}

/**
 * Gives the task an empty directory, which is gone afterwards whatever happens.
 * @template T
 * @param {string} directory @param {() => Promise<T>} task
 * @returns {Promise<T>}
 */
export async function withTemporaryDirectory(directory, task) {
  temporaryDirectories.add(directory);
  try {
    fs.mkdirSync(directory, { recursive: true });
    return await task();
  } finally {
    remove(directory);
    temporaryDirectories.delete(directory);
  }
}

export function stopChildrenOnInterrupt() {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => stopEverything(signal));
  }
  // npm passes a signal to the shell that it runs us in, which dies of it and tells us nothing.
  const parent = process.ppid;
  const watch = () => process.ppid !== parent && stopEverything('SIGTERM');
  if (process.env.npm_lifecycle_event) setInterval(watch, 200).unref();
}

/** @param {'SIGINT' | 'SIGTERM' | 'SIGHUP'} signal */
async function stopEverything(signal) {
  if (interrupted) return;
  interrupted = true;
  await Promise.all([...running].map((entry) => (entry.finishes ? letFinish(entry) : kill(entry))));
  temporaryDirectories.forEach(remove);
  say('interrupted');
  process.exit(128 + os.constants.signals[signal]);
}

/** @param {Running} entry */
async function letFinish({ pid, closed }) {
  say('stopping, as soon as the package manager has finished what it is doing …');
  signalTo(pid, 'SIGINT');
  await closed;
}

/**
 * SIGTERM first, and some time to obey: ninja then ends its compilers, which are in process groups of their own.
 * @param {Running} entry
 */
async function kill({ pid }) {
  for (let wait = 0; wait < 100 && signalTo(-pid, wait === 0 ? 'SIGTERM' : 0); wait++) await sleep(50);
  signalTo(-pid, 'SIGKILL');
}

/** Whether there was a process, or a process group where `pid` is negative. @param {number} pid @param {NodeJS.Signals | 0} signal */
function signalTo(pid, signal) {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** @param {string} directory */
function remove(directory) {
  fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}
