// Whether this region can take sessions: Route 53's health check asks here.

import { capacityOf } from '../capacity.ts';
import { here } from '../here.ts';
import { json } from '../http/control-api.ts';
import { endpoint, type HttpAnswer } from '../http/endpoint.ts';

/**
 * 200 when each group has a SERVING node with room and the region is under the global name, else 503; the body says what
 * it is that is missing.
 */
async function health(): Promise<HttpAnswer> {
  const { region, timing } = here;
  const [{ nodes, at }, { standings, evacuated }] = await Promise.all([
    here.routes.nodes(),
    here.regionStates(),
  ]);
  const { canServe, groups } = capacityOf(nodes, at, timing.nodeDeadAfter);
  const out = standings.some((standing) => standing.region === region.id && standing.out);
  const healthy = canServe && !out;
  return json(healthy ? 200 : 503, {
    status: healthy ? 'healthy' : 'unhealthy',
    region: region.id,
    groups,
    out,
    evacuated: evacuated.has(region.id),
  });
}

export const handler = endpoint({
  routes: [
    { method: 'GET', path: '/healthz', handle: health },
    { method: 'HEAD', path: '/healthz', handle: async () => ({ ...(await health()), body: '' }) },
  ],
});
