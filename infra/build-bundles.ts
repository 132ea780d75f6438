// Builds the functions' bundles; a program of its own, for esbuild takes plugins only where it can be awaited.

import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { BUNDLES, bundlePath } from './bundles.ts';

/** esbuild's ESM output has no `require`, which some CommonJS packages within it call for Node's own modules. */
const REQUIRE =
  "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

const withoutJsonSchema: Plugin = {
  name: 'without-json-schema',
  setup: ({ onResolve }) => {
    const stub = fileURLToPath(new URL('no-json-schema.ts', import.meta.url));
    // What else imports them is not called either, and goes by itself.
    onResolve({ filter: /\/(to-json-schema|json-schema-processors)\.js$/ }, ({ importer }) =>
      importer.endsWith('/zod/v4/classic/schemas.js') ? { path: stub } : undefined,
    );
  },
};

/** The SDK in the bundle is the one that was tested, and starts faster than the one that Lambda's runtime has. */
await Promise.all(
  BUNDLES.map(async (name) => {
    const outdir = bundlePath(name);
    await rm(outdir, { recursive: true, force: true });
    await build({
      absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
      entryPoints: { index: `functions/${name}/handler.ts` },
      outdir,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      minify: true,
      legalComments: 'none',
      mainFields: ['module', 'main'],
      alias: {
        '@aws-sdk/credential-provider-node': './infra/lambda-credentials.ts',
        'node:http': './infra/node-http.cjs',
      },
      plugins: [withoutJsonSchema],
      banner: { js: REQUIRE },
      logLevel: 'warning',
      // What the stub has not is not called, either.
      logOverride: { 'import-is-undefined': 'silent' },
    });
  }),
);
