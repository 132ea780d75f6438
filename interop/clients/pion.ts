// pion, from Debian's package of its source: compiled when it is not yet, which needs no network, and run.

import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, copyFile, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Missing, run } from './adapter.ts';
import { CODECS, coder, LACKS } from './rtp.ts';

const GO = '/usr/bin/go';
const LIBRARIES = '/usr/share/gocode';
const RTP = fileURLToPath(new URL('./rtp.py', import.meta.url));
const SOURCES = ['go.mod', 'main.go'];
/** ms to compile it, and Go's standard library with it, on a busy machine. */
const COMPILE = 280_000;

const VIDEO_ALONE =
  'it views video alone: with more than one section it finds a track by a=ssrc, or by MID and RID extensions together, which neither answers nor counter-offers have';

const CONSENT =
  'its ICE sends no consent checks while media flows (before pion/ice 4.0.8), and its session ends after MERIDIAN_ICE_CONSENT_MS; here its keep-alive of 10 ms makes up for it';

const [what, ...rest] = process.argv.slice(2);
if (what === 'publish' || what === 'view') {
  const child = spawn(await binary(), [RTP, what, ...rest], { stdio: 'inherit' });
  child.once('exit', (code) => process.exit(code ?? 1));
} else {
  await run({
    about: async () => {
      const version = await coder();
      await binary();
      return {
        version: `pion ${await installed()}, coded by GStreamer ${version}`,
        publishes: [...CODECS],
        views: [...CODECS],
        lacks: LACKS,
        limits: [VIDEO_ALONE, CONSENT],
      };
    },
  });
}

async function installed(): Promise<string> {
  const args = ['-W', '-f', '${' + 'Version}', 'golang-github-pion-webrtc.v3-dev'];
  return (await promisify(execFile)('dpkg-query', args)).stdout;
}

/** Its path. @throws Missing where it cannot be compiled. */
async function binary(): Promise<string> {
  const source = fileURLToPath(new URL('./pion/', import.meta.url));
  const hash = createHash('sha256');
  for (const file of SOURCES) hash.update(await readFile(join(source, file)));
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'meridian');
  const made = join(cache, `interop-pion-${hash.digest('hex').slice(0, 12)}`);
  if (await isThere(made)) return made;
  if (!(await isThere(GO)) || !(await isThere(join(LIBRARIES, 'src/github.com/pion/webrtc'))))
    throw new Missing('apt-get install golang-go golang-github-pion-webrtc.v3-dev');
  const workspace = await mkdtemp(join(tmpdir(), 'meridian-pion-'));
  try {
    const folder = join(workspace, 'src', 'interop-pion');
    await mkdir(folder, { recursive: true });
    await mkdir(cache, { recursive: true });
    for (const file of SOURCES) await copyFile(join(source, file), join(folder, file));
    // Debian's libraries are a GOPATH's; the go.mod is there for Go to know what an import's /v3 is.
    const env = { ...process.env, GO111MODULE: 'off', CGO_ENABLED: '0', GOPATH: `${workspace}:${LIBRARIES}` };
    const output = join(workspace, 'pion');
    await promisify(execFile)(GO, ['build', '-o', output, '.'], { cwd: folder, env, timeout: COMPILE });
    await copyFile(output, `${made}.tmp-${process.pid}`);
    await rename(`${made}.tmp-${process.pid}`, made);
    return made;
  } catch (error) {
    throw new Missing(`it does not compile: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
