// Three kinds of tests: of units and of the infrastructure, many at once; integration tests, one after another against one local world.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    reporters: ['default', './test/closing-line.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/model/**/*.test.ts'],
          testTimeout: 20_000,
          hookTimeout: 20_000,
          // One process imports the AWS SDK and mediasoup once, not once a file.
          isolate: false,
        },
      },
      {
        test: {
          name: 'infra',
          include: ['test/infra/**/*.test.ts'],
          setupFiles: 'test/infra/scratch.ts',
          testTimeout: 60_000,
          hookTimeout: 60_000,
          isolate: false,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: 'test/integration/world.ts',
          fileParallelism: false,
          // Longer than two waits (test/eventually.ts): what is late says what it waited for.
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
