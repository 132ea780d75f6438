// Every app of ours is written to a directory that is removed after the test file: the CDK leaves its own in the system's.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const before = process.env.TMPDIR;
const scratch = mkdtempSync(join(tmpdir(), 'meridian-infra-'));
process.env.TMPDIR = scratch;

afterAll(() => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  rmSync(scratch, { recursive: true, force: true });
});
