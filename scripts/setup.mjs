// @ts-check
// Makes a fresh clone ready to run: dependencies, mediasoup's worker and, with --with-test-tools, Chromium, AWS's
// runtime client for Lambda functions, commands for network namespaces and the load generator.
// npm runs it before start, test and bench. It needs nothing but Node 20 or newer, and says nothing when all is done.
import { stopChildrenOnInterrupt } from './setup/children.mjs';
import { chromium } from './setup/chromium.mjs';
import { dependencies } from './setup/dependencies.mjs';
import { SetupError } from './setup/error.mjs';
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

/** @param {string[]} options @returns {Step[]} */
function stepsFor(options) {
  const unknown = options.find((option) => option !== '--with-test-tools');
  if (unknown !== undefined)
    throw new SetupError(`unknown option ${unknown}; there is only --with-test-tools`);
  const always = [dependencies, worker];
  return options.length > 0 ? [...always, chromium, networkTools, lambdaRuntime, loadGenerator] : always;
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
