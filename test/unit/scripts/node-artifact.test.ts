// What goes into a node's archive: no worker that Amazon Linux could not run, and a service that never gives up.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const build = (...args: string[]) =>
  run(process.execPath, ['scripts/node-artifact/build.ts', ...args], {
    // Nobody listens there.
    env: { ...process.env, MEDIASOUP_WORKER_PREBUILT_DOWNLOAD_BASE_URL: 'http://127.0.0.1:9' },
  });

it('without a download it takes no worker of this machine’s, says so for each architecture, and fails', async () => {
  const failed = build();
  await expect(failed).rejects.toMatchObject({ code: 1 });
  await expect(failed).rejects.toThrow(
    /NOT BUILT: arm64: .*--local-worker[\s\S]*NOT BUILT: x64: .*--local-worker/,
  );
});

it('this machine’s worker is for its own architecture only', async () => {
  const other = process.arch === 'x64' ? 'arm64' : 'x64';
  const failed = build('--local-worker', '--arch', other);
  await expect(failed).rejects.toMatchObject({ code: 1 });
  await expect(failed).rejects.toThrow(
    `NOT BUILT: ${other}: --local-worker: this machine is ${process.arch}`,
  );
});

it('the service starts a node again however often it fails, and keeps its compiled code', () => {
  const unit = readFileSync('scripts/node-artifact/meridian.service', 'utf8');
  const [beforeService = '', service = ''] = unit.split('[Service]');
  expect(beforeService).toMatch(/^StartLimitIntervalSec=0$/m);
  expect(service).toMatch(/^Restart=always$/m);
  const cache = /^CacheDirectory=(\S+)$/m.exec(service)?.[1];
  expect(service).toContain(`NODE_COMPILE_CACHE=/var/cache/${cache}`);
});
