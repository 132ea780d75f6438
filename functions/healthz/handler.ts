// Whether this region can take sessions: Route 53's health check asks here.

import { fullness, isFresh, nodeGroup } from '#routing/node-record.ts';
import { here } from '../here.ts';
import { json } from '../http/control-api.ts';
import { endpoint, type HttpAnswer } from '../http/endpoint.ts';

/**
 * 200 when each group has a SERVING node with room, else 503; the body says which has not. Where no heartbeat is fresh
 * the nodes are dead or the registry stands still: either way DNS does well to send new sessions elsewhere.
 */
async function health(): Promise<HttpAnswer> {
  const now = Date.now();
  const nodes = (await here.routes.nodes()).filter((node) => isFresh(node, now, here.timing.nodeDeadAfter));
  const groups = Object.fromEntries(
    nodeGroup.options.map((group) => {
      const kind = group === 'origin' ? 'publishers' : 'viewers';
      const serving = nodes.filter((node) => node.group === group && node.state === 'SERVING');
      return [
        group,
        { serving: serving.length, withRoom: serving.filter((node) => fullness(node, kind) < 1).length },
      ];
    }),
  );
  const healthy = Object.values(groups).every(({ withRoom }) => withRoom > 0);
  return json(healthy ? 200 : 503, {
    status: healthy ? 'healthy' : 'unhealthy',
    region: here.region.id,
    groups,
  });
}

export const handler = endpoint({
  routes: [
    { method: 'GET', path: '/healthz', handle: health },
    { method: 'HEAD', path: '/healthz', handle: async () => ({ ...(await health()), body: '' }) },
  ],
});
