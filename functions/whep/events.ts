// A player's subscriptions to events (WHEP's server-sent-events extension), under its session's URL.

import { nothing } from '#routing/node-messages.ts';
import { Problem, parse } from '#routing/problem.ts';
import {
  eventId,
  eventsAnswer,
  subscribeAnswer,
  type ViewerEvent,
  wantedEvents,
} from '#routing/viewer-events.ts';
import type { FunctionContext } from '../context.ts';
import { type HttpAnswer, type HttpEvent, jsonBody, pathParameter } from '../http/endpoint.ts';
import { callSession, openTicket } from '../http/sessions.ts';

/**
 * Milliseconds after which a player asks again (`retry:` of the event-stream format). A function's answer ends at once:
 * whoever holds a function pays for it. At least the interval of `viewercount`, the event that comes most often; more for
 * many, so that a stream's viewers read a hundred times a second in all, a fifth of what an API's stage takes (`throttle`).
 */
const RETRY = { least: 2_000, most: 60_000, perViewer: 10 };
/** For who comes while it cannot be served. */
const RETRY_REFUSED = 10_000;

const retryOf = (viewers: number) => Math.min(RETRY.most, Math.max(RETRY.least, viewers * RETRY.perViewer));

/** `POST S/events`: 201 with the subscription's URL. @throws Problem 400 for an event that there is not. */
export async function subscribe(context: FunctionContext, event: HttpEvent): Promise<HttpAnswer> {
  const ticket = await openTicket(context, 'whep', event);
  const events = parse(wantedEvents, jsonBody(event), 'events');
  const { subscriptionId } = await callSession(context, ticket, {
    method: 'POST',
    path: '/events',
    body: { v: 1, events },
    answer: subscribeAnswer,
  });
  const location = new URL(`${event.rawPath.replace(/\/$/, '')}/${subscriptionId}`, context.region.api);
  // An EventSource sends no Authorization: what came in the URL goes on in the URL.
  const token = event.queryStringParameters?.token;
  if (token !== undefined) location.searchParams.set('token', token);
  return { statusCode: 201, headers: { Location: location.href, 'Cache-Control': 'no-store' } };
}

/**
 * `GET S/events/{subscription}`: what is new since `Last-Event-ID`, as an event stream that ends. One that cannot be read
 * now (429, 503) is empty and says when to ask again: at any other answer an EventSource stops for ever (HTML standard,
 * section 9.2.2).
 */
export async function readEvents(context: FunctionContext, event: HttpEvent): Promise<HttpAnswer> {
  try {
    const { events, viewers } = await newEvents(context, event);
    return eventStream(retryOf(viewers ?? 0), events);
  } catch (error) {
    if (error instanceof Problem && [429, 503].includes(error.status)) return eventStream(RETRY_REFUSED, []);
    throw error;
  }
}

async function newEvents(context: FunctionContext, event: HttpEvent) {
  const ticket = await openTicket(context, 'whep', event);
  const given = event.headers['last-event-id'];
  // One that is no number of ours is another server's: how things stand is what helps.
  const after = eventId.safeParse(given === undefined || given === '' ? undefined : Number(given)).data;
  return callSession(context, ticket, {
    method: 'GET',
    path: subscriptionPath(event, after === undefined ? '' : `?after=${after}`),
    answer: eventsAnswer,
  });
}

const eventStream = (retry: number, events: readonly ViewerEvent[]): HttpAnswer => ({
  statusCode: 200,
  headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' },
  body: `retry: ${retry}\n\n${events.map(eventText).join('')}`,
});

/** `DELETE S/events/{subscription}`: 200. */
export async function unsubscribe(context: FunctionContext, event: HttpEvent): Promise<HttpAnswer> {
  const ticket = await openTicket(context, 'whep', event);
  await callSession(context, ticket, { method: 'DELETE', path: subscriptionPath(event), answer: nothing });
  return { statusCode: 200 };
}

function subscriptionPath(event: HttpEvent, query = ''): string {
  const id = pathParameter(event, 'subscription');
  return `/events/${encodeURIComponent(id)}${query}`;
}

/** The event-stream format of the HTML standard, section 9.2.5; the data is one line, for JSON has no line ends. */
const eventText = ({ id, event, data }: ViewerEvent): string =>
  `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
