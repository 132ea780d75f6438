// What the control server does for each path: admission first, then the streams.

import {
  counterAnswer,
  doubt,
  layerMessage,
  legRequest,
  type NodeStatus,
  notice,
  patchRequest,
  priorityChange,
  type SessionAnswer,
  streamReports,
  whepRequest,
  whipRequest,
} from '#routing/node-messages.ts';
import type { NodeGroup, NodeLimits, NodeLoad, NodeRecord, NodeState } from '#routing/node-record.ts';
import { Problem, parse, unavailable } from '#routing/problem.ts';
import { publishKey, type RequestLimits } from '#routing/request-limits.ts';
import { eventId, eventsAnswer, subscribeAnswer, subscribeRequest } from '#routing/viewer-events.ts';
import type { ControlRoute } from './control-server.ts';
import type { Peers } from './peers.ts';
import type { Session } from './session.ts';
import type { Self } from './source.ts';
import type { Streams } from './streams.ts';
import type { Sweep } from './sweep.ts';
import type { Workers } from './workers.ts';

export interface ControlRoutesOptions {
  self: Self;
  group: NodeGroup;
  state: () => NodeState;
  load: () => NodeLoad;
  limits: NodeLimits;
  /** Here the requests of all functions come together, each of which counts for itself. */
  requestLimits: RequestLimits;
  streams: Streams;
  workers: Workers;
  peers: Peers;
  sweep: Sweep;
}

/**
 * The share of a node's viewers that may be between their POST and connected media, and the fewest that always may:
 * who POSTs and never connects must not fill the node. At 250 viewers it lets some 200 a second join, each within 0.2 s.
 */
const MAX_CONNECTING = 0.2;
const MIN_CONNECTING = 10;

export function controlRoutes(options: ControlRoutesOptions): ControlRoute[] {
  const { self, streams, workers, peers, sweep, requestLimits } = options;
  /** A session that there is: of others nothing is remembered. */
  const changes = (id = '') => requestLimits.admit('changePerSession', streams.session(id).id);
  return [
    {
      method: 'POST',
      path: '/v1/whip',
      handle: async ({ body }) => {
        const request = parse(whipRequest, body, 'whip');
        const { from, tokenId, stream } = request;
        if (from !== undefined) requestLimits.admit('publishPerAddress', from);
        requestLimits.admit('publishPerToken', publishKey(tokenId, stream));
        admit(options, 'publishers');
        return sessionAnswer(await streams.publish(request));
      },
    },
    {
      method: 'POST',
      path: '/v1/whep',
      handle: async ({ body }) => {
        const request = parse(whepRequest, body, 'whep');
        if (request.from !== undefined) requestLimits.admit('playPerAddress', request.from);
        admit(options, 'viewers');
        return sessionAnswer(await streams.watch(request));
      },
    },
    {
      method: 'PATCH',
      path: '/v1/sessions/{id}',
      handle: async ({ params, body }) => {
        const { fragment, ifMatch } = parse(patchRequest, body, 'patch');
        changes(params.id);
        return { v: 1, ...(await streams.session(params.id ?? '').patch(fragment, ifMatch)) };
      },
    },
    {
      method: 'POST',
      path: '/v1/sessions/{id}/answer',
      handle: async ({ params, body }) => {
        const { answer } = parse(counterAnswer, body, 'answer');
        changes(params.id);
        await streams.answer(params.id ?? '', answer);
        return { v: 1 };
      },
    },
    {
      method: 'POST',
      path: '/v1/sessions/{id}/layer',
      handle: async ({ params, body }) => {
        const { layer } = parse(layerMessage, body, 'layer');
        changes(params.id);
        await streams.viewer(params.id ?? '').chooseLayer(layer);
        return { v: 1 };
      },
    },
    {
      method: 'POST',
      path: '/v1/sessions/{id}/events',
      handle: ({ params, body }) => {
        const { events } = parse(subscribeRequest, body, 'events');
        changes(params.id);
        const subscriptionId = streams.viewer(params.id ?? '').events.subscribe(events);
        return subscribeAnswer.parse({ v: 1, subscriptionId });
      },
    },
    {
      method: 'GET',
      path: '/v1/sessions/{id}/events/{subscription}',
      handle: ({ params, query }) => {
        const after = parse(
          eventId.optional(),
          query.has('after') ? Number(query.get('after')) : undefined,
          'after',
        );
        const { events } = streams.viewer(params.id ?? '');
        const news = events.since(params.subscription ?? '', after);
        return eventsAnswer.parse({ v: 1, events: news, viewers: events.viewers });
      },
    },
    {
      method: 'DELETE',
      path: '/v1/sessions/{id}/events/{subscription}',
      handle: ({ params }) => {
        streams.viewer(params.id ?? '').events.unsubscribe(params.subscription ?? '');
        return { v: 1 };
      },
    },
    {
      method: 'DELETE',
      path: '/v1/sessions/{id}',
      handle: ({ params }) => {
        streams.endSession(params.id ?? '');
        return { v: 1 };
      },
    },
    {
      method: 'POST',
      path: '/v1/legs',
      handle: async ({ body }) => {
        const request = parse(legRequest, body, 'leg');
        if (request.region === self.region) {
          const isChild = ({ nodeId, mediaAddresses }: NodeRecord) =>
            nodeId === request.nodeId && mediaAddresses.includes(request.ip);
          const isKnown =
            (await peers.registered()).some(isChild) ||
            (await peers.registered({ exact: true })).some(isChild);
          if (!isKnown) {
            throw new Problem(
              403,
              'unknown-address',
              `node ${request.nodeId} has not registered ${request.ip}`,
            );
          }
        }
        return streams.feed(request);
      },
    },
    {
      method: 'POST',
      path: '/v1/notices',
      handle: ({ body }) => {
        streams.notice(parse(notice, body, 'notice'));
        return { v: 1 };
      },
    },
    {
      method: 'POST',
      path: '/v1/doubts',
      handle: async ({ body }) => ({ v: 1, isReplaced: await sweep.look(parse(doubt, body, 'doubt').claim) }),
    },
    {
      method: 'POST',
      path: '/v1/priorities',
      handle: async ({ body }) => {
        const { claim, priority } = parse(priorityChange, body, 'priority');
        await streams.setPriority(claim, priority);
        return { v: 1 };
      },
    },
    {
      method: 'GET',
      path: '/v1/streams',
      handle: async () => streamReports.parse({ v: 1, streams: await streams.reports() }),
    },
    {
      method: 'GET',
      path: '/v1/streams/{stream}',
      handle: async ({ params }) =>
        streamReports.parse({ v: 1, streams: await streams.reports(params.stream) }),
    },
    {
      method: 'GET',
      path: '/v1/status',
      handle: (): NodeStatus => ({
        v: 1,
        ...self,
        group: options.group,
        state: options.state(),
        load: options.load(),
        open: { ...workers.open, streams: streams.count },
      }),
    },
  ];
}

/** The node's own yes or no: a function's snapshot of its load may be a moment old. */
function admit(
  { self, state, limits, streams, workers }: ControlRoutesOptions,
  kind: 'publishers' | 'viewers',
): void {
  if (state() !== 'SERVING') throw unavailable('node-not-serving', `node ${self.nodeId} is ${state()}`);
  if (streams.load[kind] >= limits[kind]) {
    throw unavailable('node-full', `node ${self.nodeId} has its ${limits[kind]} ${kind}`);
  }
  if (kind === 'viewers' && streams.connecting >= Math.max(MIN_CONNECTING, limits.viewers * MAX_CONNECTING)) {
    throw unavailable(
      'node-full',
      `${streams.connecting} viewers of node ${self.nodeId} have not connected yet`,
    );
  }
  const { cpu } = workers.usage;
  if (cpu >= limits.cpu) {
    throw unavailable('node-full', `node ${self.nodeId} is at ${Math.round(cpu * 100)}% of a worker's core`);
  }
}

const sessionAnswer = ({ session, answer }: { session: Session; answer: string }): SessionAnswer => ({
  v: 1,
  sessionId: session.id,
  answer,
  etag: session.etag,
});
