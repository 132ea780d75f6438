// What is deployed, and where: the one file that operators edit. infra/config.ts says what each field may be.

import type { DeploymentInput } from './config.ts';

export const deployment: DeploymentInput = {
  account: '111111111111',
  zone: { id: 'Z0000000000000000000', name: 'example.com' },
  globalName: 'live.example.com',
  globalRegion: 'us-east-1',
  regions: [
    { id: 'us-east-1', cidr: '10.1.0.0/16' },
    { id: 'eu-west-1', cidr: '10.2.0.0/16' },
    { id: 'ap-southeast-1', cidr: '10.3.0.0/16' },
  ],
};
