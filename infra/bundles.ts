// The functions' bundles: built once for a synthesis, whatever the number of regions.

import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { API_ROUTES, type FunctionName } from '#functions/routes.ts';

export type BundleName = FunctionName | 'region-health';

export const BUNDLES: readonly BundleName[] = [
  ...new Set<BundleName>([...API_ROUTES.map((route) => route.function), 'region-health']),
];

const root = fileURLToPath(new URL('..', import.meta.url));

/** Where a function's bundle is: `index.mjs`, and the parts that it loads only when it needs them. */
export const bundlePath = (name: BundleName): string => `${root}dist/functions/${name}`;

/** esbuild's ESM output has no `require`, which some CommonJS packages within it call for Node's own modules. */
const REQUIRE =
  "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** The SDK in the bundle is the one that was tested, and starts faster than the one that Lambda's runtime has. */
export function buildBundles(): void {
  for (const name of BUNDLES) {
    const outdir = bundlePath(name);
    rmSync(outdir, { recursive: true, force: true });
    buildSync({
      absWorkingDir: root,
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
      banner: { js: REQUIRE },
      logLevel: 'warning',
    });
  }
}
