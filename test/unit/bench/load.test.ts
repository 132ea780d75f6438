import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { LOAD_GENERATOR, LOAD_TEST, loadGenerator } from '../../../scripts/setup/load-generator.mjs';

const execute = promisify(execFile);

// `npm test` has built it; where vitest was started alone, that takes half a minute here.
beforeAll(async () => {
  if (!loadGenerator.isReady()) await loadGenerator.make();
}, 300_000);

test('the load generator’s parts pass their own tests', async () => {
  const { stdout } = await execute(LOAD_TEST);
  expect(stdout).toBe('ok\n');
});

test('it says what is wrong with its options', async () => {
  await expect(
    execute(LOAD_GENERATOR, ['--whep', 'http://127.0.0.1/x', '--steps', '5,1']),
  ).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--steps 5,1: each no fewer than the last'),
  });
});

test('it ends with 1 where nobody listens', async () => {
  // Port 9 is the discard service's, which nobody runs.
  const alone = execute(LOAD_GENERATOR, ['--whip', 'http://127.0.0.1:9/whip']);
  await expect(alone).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringContaining('"what":"the publisher","status":0'),
  });
});
