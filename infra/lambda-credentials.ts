// What stands for the SDK's chain of credential providers in the functions' bundles: Lambda gives them in the
// environment, and the rest of the chain (files, SSO, metadata services) would be a fifth of a bundle.

import { fromEnv } from '@aws-sdk/credential-provider-env';

export const defaultProvider = fromEnv;
