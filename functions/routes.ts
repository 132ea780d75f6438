// Which function answers which route: read by the CDK app and by the local gateways, so that both serve the same.

export type FunctionName = 'whip' | 'whep' | 'cascade' | 'api' | 'cluster-nodes' | 'healthz';

export interface ApiRoute {
  /** `ANY` leaves 405 and OPTIONS to the function: an API's own CORS setting would drop the function's headers. */
  method: 'ANY' | 'GET' | 'POST';
  /** In API Gateway's notation: `{name}` is one segment, `{name+}` the rest. */
  path: string;
  function: FunctionName;
  /** `iam`: API Gateway checks a SigV4 signature before the function is called. */
  auth: 'none' | 'iam';
}

export const API_ROUTES: readonly ApiRoute[] = [
  { method: 'ANY', path: '/whip/{stream}', function: 'whip', auth: 'none' },
  { method: 'ANY', path: '/whip/{stream}/{session}', function: 'whip', auth: 'none' },
  { method: 'ANY', path: '/whep/{stream}', function: 'whep', auth: 'none' },
  { method: 'ANY', path: '/whep/{stream}/{session}', function: 'whep', auth: 'none' },
  { method: 'ANY', path: '/whep/{stream}/{session}/layer', function: 'whep', auth: 'none' },
  { method: 'ANY', path: '/whep/{stream}/{session}/events', function: 'whep', auth: 'none' },
  { method: 'ANY', path: '/whep/{stream}/{session}/events/{subscription}', function: 'whep', auth: 'none' },
  { method: 'POST', path: '/cascade/{stream}', function: 'cascade', auth: 'iam' },
  { method: 'ANY', path: '/api/{proxy+}', function: 'api', auth: 'none' },
  { method: 'ANY', path: '/rest/v2/cluster-nodes', function: 'cluster-nodes', auth: 'none' },
  { method: 'ANY', path: '/rest/v2/cluster-nodes/{proxy+}', function: 'cluster-nodes', auth: 'none' },
  { method: 'ANY', path: '/healthz', function: 'healthz', auth: 'none' },
];
