// A player's subscriptions to events (WHEP's server-sent-events extension), under its session's URL.

import { nothing } from '#routing/node-messages.ts';
import { parse } from '#routing/problem.ts';
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
 * whoever holds a function pays for it. It is the interval of `viewercount`, the event that comes most often.
 */
const RETRY = 2_000;

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

/** `GET S/events/{subscription}`: what is new since `Last-Event-ID`, as an event stream that ends. */
export async function readEvents(context: FunctionContext, event: HttpEvent): Promise<HttpAnswer> {
  const ticket = await openTicket(context, 'whep', event);
  const given = event.headers['last-event-id'];
  // One that is no number of ours is another server's: how things stand is what helps.
  const after = eventId.safeParse(given === undefined || given === '' ? undefined : Number(given)).data;
  const { events } = await callSession(context, ticket, {
    method: 'GET',
    path: subscriptionPath(event, after === undefined ? '' : `?after=${after}`),
    answer: eventsAnswer,
  });
  return {
    statusCode: 200,
    headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' },
    body: `retry: ${RETRY}\n\n${events.map(eventText).join('')}`,
  };
}

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
