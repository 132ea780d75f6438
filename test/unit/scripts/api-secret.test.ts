// `npm run api-secret`: how it answers who does not know its options.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const apiSecret = (...args: string[]) => run(process.execPath, ['scripts/api-secret.ts', ...args]);
const USAGE = 'usage: npm run api-secret -- --region REGION';

it('--help says how it is used', async () => {
  expect((await apiSecret('--help')).stdout).toContain(USAGE);
});

it.each([
  ['--region and --label are needed', ['--region', 'eu-west-1']],
  ['--regoin', ['--regoin', 'eu-west-1']],
])('a wrong use is two lines and no stack: %s', async (told, args) => {
  const failed = apiSecret(...args);
  await expect(failed).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining(USAGE) });
  await expect(failed).rejects.toMatchObject({ stderr: expect.stringContaining(told) });
  await expect(failed).rejects.not.toMatchObject({ stderr: expect.stringContaining('    at ') });
});
