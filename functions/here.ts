// The execution environment's one context, made while the module loads: a wrong configuration fails the start.

import { allowFarConnections } from '#routing/far-connections.ts';
import { withSecrets } from '#routing/secrets.ts';
import { contextFrom } from './context.ts';

allowFarConnections();

export const here = contextFrom(await withSecrets(process.env));
