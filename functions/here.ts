// The execution environment's one context, made while the module loads: a wrong configuration fails the start.

import { withSecrets } from '#routing/secrets.ts';
import { contextFrom } from './context.ts';

export const here = contextFrom(await withSecrets(process.env));
