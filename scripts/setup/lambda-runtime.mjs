// @ts-check
// AWS's own runtime client for Lambda functions, for the test that runs the functions' bundles under it. Its native part is
// built here, once for all clones; the project does not depend on it.
import fs from 'node:fs';
import path from 'node:path';
import { run, withTemporaryDirectory } from './children.mjs';
import { ensureDebianPackages } from './debian-packages.mjs';
import { CommandError, SetupError } from './error.mjs';
import { withLock } from './lock.mjs';
import { LAMBDA_RUNTIME_CACHE, ROOT } from './paths.mjs';
import { during } from './progress.mjs';

const VERSION = '4.0.2';
const PACKAGES = ['build-essential', 'cmake', 'python3', 'xz-utils'];

/** Changes with all that the native part depends on: Node's own interface of native parts is stable within a major version. */
const ENTRY = path.join(LAMBDA_RUNTIME_CACHE, `${VERSION}-${process.platform}-${process.arch}`);

/** What a test starts, with the name of a handler. */
export const LAMBDA_RUNTIME = path.join(ENTRY, 'node_modules/aws-lambda-ric/index.mjs');

/** @type {import('../setup.mjs').Step} */
export const lambdaRuntime = { isReady: () => fs.existsSync(LAMBDA_RUNTIME), make };

async function make() {
  await ensureDebianPackages(PACKAGES, {
    purpose: 'to build the Lambda runtime client for the tests',
    otherwise: 'It is needed by npm test only.',
  });
  fs.mkdirSync(LAMBDA_RUNTIME_CACHE, { recursive: true });
  await withLock(LAMBDA_RUNTIME_CACHE, 'another setup to build the Lambda runtime client', async () => {
    if (lambdaRuntime.isReady()) return; // The other setup has.
    const temporary = `${ENTRY}.tmp-${process.pid}`;
    await withTemporaryDirectory(temporary, async () => {
      await during('building the Lambda runtime client (about 2 min)', 'Lambda runtime client built', () =>
        install(temporary),
      );
      fs.rmSync(ENTRY, { recursive: true, force: true });
      fs.renameSync(temporary, ENTRY);
    });
  });
}

/** @param {string} directory */
async function install(directory) {
  fs.writeFileSync(path.join(directory, 'package.json'), '{"private":true}\n');
  const node = path.join(ROOT, 'node_modules', `node-linux-${process.arch}`);
  const env = {
    ...process.env,
    PATH: `${path.join(node, 'bin')}${path.delimiter}${process.env.PATH ?? ''}`,
    // The headers that came with Node: no download.
    npm_config_nodedir: node,
    npm_config_ignore_scripts: 'false',
  };
  const args = ['install', `aws-lambda-ric@${VERSION}`, '--no-audit', '--no-fund', '--prefix', directory];
  try {
    await run('npm', args, { cwd: directory, env });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new SetupError(
      ['the Lambda runtime client could not be built', ...error.output.slice(-30)].join('\n'),
    );
  }
}
