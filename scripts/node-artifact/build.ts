// `npm run build:node`: the archive that an instance starts a node from. Nothing is downloaded at boot beyond it.
//
// One archive an architecture: the fleet's code in one bundle, Node.js, mediasoup's worker, and the service. The worker is
// the one that mediasoup's project has built, which runs on Amazon Linux; `--local-worker` takes this machine's own instead.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildSync } from 'esbuild';
import { version as mediasoupVersion } from 'mediasoup';
import { archiveName, type NodeArchitecture } from '#infra/artifact.ts';
import own from '../../package.json' with { type: 'json' };
import { ROOT } from '../setup/paths.mjs';
import { downloadWorker } from '../setup/worker-download.mjs';

const ARCHITECTURES: readonly NodeArchitecture[] = ['arm64', 'x64'];
/** The kernel's major version on Amazon Linux 2023, by which mediasoup's releases are named. */
const KERNEL = 6;
const FILES = ['meridian.service', '90-meridian.conf', 'install.sh'];
/** Where setup puts this machine's worker. */
const OWN_WORKER = join(ROOT, 'node_modules/mediasoup/worker/out/Release/mediasoup-worker');

const say = (text: string) => process.stderr.write(`build:node: ${text}\n`);

try {
  const { values } = parseArgs({
    options: {
      arch: { type: 'string', multiple: true },
      'local-worker': { type: 'boolean', default: false },
      /** Elsewhere than where `cdk deploy` takes it from. */
      out: { type: 'string', default: join(ROOT, 'dist') },
    },
  });
  const wanted = values.arch ?? [...ARCHITECTURES];
  const unknown = wanted.find((name) => !ARCHITECTURES.some((known) => known === name));
  if (unknown !== undefined) throw new Error(`--arch ${unknown}: there are ${ARCHITECTURES.join(' and ')}`);
  for (const architecture of ARCHITECTURES.filter((name) => wanted.includes(name))) {
    try {
      await build(architecture, values['local-worker'], values.out);
    } catch (error) {
      // The other one may be built all the same.
      say(`NOT BUILT: ${architecture}: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    }
  }
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

async function build(architecture: NodeArchitecture, localWorker: boolean, out: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'meridian-node-'));
  try {
    const worker = join(directory, 'mediasoup-worker');
    const origin = localWorker ? copyWorker(architecture, worker) : await fetchWorker(architecture, worker);
    bundle(join(directory, 'main.mjs'));
    copyNode(architecture, directory);
    for (const file of FILES) copyFileSync(new URL(file, import.meta.url), join(directory, file));
    const archive = join(out, archiveName(architecture));
    mkdirSync(out, { recursive: true });
    // The same content is the same archive, so that a deployment without a change changes nothing.
    const same = ['--sort=name', '--mtime=2020-01-01 00:00Z', '--owner=0', '--group=0', '--numeric-owner'];
    execFileSync('tar', ['-C', directory, ...same, '--use-compress-program=gzip -n', '-cf', archive, '.']);
    const megabytes = (statSync(archive).size / 1e6).toFixed(1);
    say(`${archive}, ${megabytes} MB; worker: ${origin}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The fleet's code and all its packages. */
function bundle(outfile: string): void {
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: ['media-fleet/main.ts'],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    keepNames: true,
    legalComments: 'none',
    mainFields: ['module', 'main'],
    banner: {
      js: [
        "import { createRequire } from 'node:module';",
        "import { fileURLToPath as __toPath } from 'node:url';",
        'const require = createRequire(import.meta.url);',
        "const __filename = __toPath(import.meta.url); const __dirname = __toPath(new URL('.', import.meta.url));",
      ].join(' '),
    },
    logLevel: 'warning',
  });
}

/** From the npm package that the project's own Node comes from, at the locked version. */
function copyNode(architecture: NodeArchitecture, directory: string): void {
  const name = `node-linux-${architecture}` as const;
  const installed = join(ROOT, 'node_modules', name, 'bin/node');
  const target = join(directory, 'node');
  if (existsSync(installed)) {
    cpSync(installed, target);
  } else {
    const version = own.optionalDependencies[name];
    const packed = execFileSync(
      'npm',
      ['pack', '--silent', `${name}@${version}`, '--pack-destination', directory],
      {
        encoding: 'utf8',
      },
    ).trim();
    const file = join(directory, packed);
    execFileSync('tar', ['-xzf', file, '-C', directory, '--strip-components=2', 'package/bin/node']);
    rmSync(file);
  }
  chmodSync(target, 0o755);
}

/** @returns where it is from. @throws Error where it cannot be had. */
async function fetchWorker(architecture: NodeArchitecture, target: string): Promise<string> {
  const problem = await downloadWorker(mediasoupVersion, target, { architecture, kernel: KERNEL });
  if (problem === undefined) return `mediasoup ${mediasoupVersion}'s release`;
  throw new Error(
    `mediasoup's worker could not be downloaded (${problem}). Run this where github.com can be reached; or, for an AMI with ` +
      'the libraries of this machine, take its own worker with --local-worker',
  );
}

/** @returns where it runs. @throws Error where this machine has none of this architecture. */
function copyWorker(architecture: NodeArchitecture, target: string): string {
  if (architecture !== process.arch) throw new Error(`--local-worker: this machine is ${process.arch}`);
  if (!existsSync(OWN_WORKER)) throw new Error(`${OWN_WORKER} is missing: run npm start or npm test once`);
  copyFileSync(OWN_WORKER, target);
  chmodSync(target, 0o755);
  const linked = [...execFileSync('ldd', [target], { encoding: 'utf8' }).matchAll(/^\s*(\S+) =>/gm)];
  return `this machine's; it runs where there are ${linked.map(([, library]) => library).join(', ')}`;
}
