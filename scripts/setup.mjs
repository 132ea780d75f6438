// @ts-check
// Makes a fresh clone ready to run: dependencies, mediasoup's worker and, with --with-test-tools, Chromium, AWS's
// runtime client for Lambda functions, commands for network namespaces and the load generator; with
// --with-interop-clients, other browsers and WebRTC libraries. npm runs it before start, test, bench and interop. It needs nothing but Node 20 or newer, and says nothing when all is done.
import { stopChildrenOnInterrupt } from './setup/children.mjs';
import { chromium } from './setup/chromium.mjs';
import { dependencies } from './setup/dependencies.mjs';
import { SetupError } from './setup/error.mjs';
import { interopClients } from './setup/interop-clients.mjs';
import { lambdaRuntime } from './setup/lambda-runtime.mjs';
import { loadGenerator } from './setup/load-generator.mjs';
import { withLock } from './setup/lock.mjs';
import { networkTools } from './setup/network-tools.mjs';
import { ROOT } from './setup/paths.mjs';
import { say } from './setup/progress.mjs';
import { worker } from './setup/worker.mjs';

/**
 * What setup makes, in order. `isReady` must be fast: it is all that a run with nothing to do costs.
 * @typedef {{ isReady: () => boolean, make: () => Promise<void> }} Step
 */

/** @type {Readonly<Record<string, Step[]>>} */
const MORE = {
  '--with-test-tools': [chromium, networkTools, lambdaRuntime, loadGenerator],
  '--with-interop-clients': [interopClients],
};

/** @param {string[]} options @returns {Step[]} */
function stepsFor(options) {
  const unknown = options.find((option) => MORE[option] === undefined);
  if (unknown !== undefined)
    throw new SetupError(`unknown option ${unknown}; there are ${Object.keys(MORE).join(' and ')}`);
  return [dependencies, worker, ...options.flatMap((option) => MORE[option] ?? [])];
}

/** @param {Step[]} steps */
async function makeReady(steps) {
  if (steps.every((step) => step.isReady())) return;
  await withLock(ROOT, 'another setup of this directory', async () => {
    for (const step of steps) if (!step.isReady()) await step.make();
  });
}

try {
  if (Number.parseInt(process.versions.node, 10) < 20) {
    throw new SetupError(`Node 20 or newer is needed, this is ${process.version}`);
  }
  stopChildrenOnInterrupt();
  await makeReady(stepsFor(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`error: ${error.message}`);
  process.exitCode = 1;
}
