// The functions' bundles: built once for a synthesis, whatever the number of regions.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { API_ROUTES, type FunctionName } from '#functions/routes.ts';

export type BundleName = FunctionName | 'region-health';

export const BUNDLES: readonly BundleName[] = [
  ...new Set<BundleName>([...API_ROUTES.map((route) => route.function), 'region-health']),
];

const root = fileURLToPath(new URL('..', import.meta.url));

/** Where a function's bundle is: `index.mjs`, and the parts that it loads only when it needs them. */
export const bundlePath = (name: BundleName): string => `${root}dist/functions/${name}`;

/** @throws Error when one cannot be built; what is wrong stands on standard error. */
export function buildBundles(): void {
  const program = fileURLToPath(new URL('build-bundles.ts', import.meta.url));
  execFileSync(process.execPath, [program], { stdio: ['ignore', 'inherit', 'inherit'] });
}
