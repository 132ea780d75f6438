// What a player can hear of its stream (WHEP's server-sent-events extension), and what functions and nodes say of it.

import * as z from 'zod';

const v = z.literal(1);

/**
 * `active` and `inactive`: a publisher's media comes, or has gone. `viewercount`: connected viewers in all regions.
 * `layers`: the simulcast layers that come. `reconnect`: this session will end; POST anew.
 */
export const VIEWER_EVENTS = ['active', 'inactive', 'viewercount', 'layers', 'reconnect'] as const;

export const viewerEventName = z.enum(VIEWER_EVENTS);
export type ViewerEventName = z.infer<typeof viewerEventName>;

/** The body of a player's POST: the events that it wants, each once or more. */
export const wantedEvents = z.array(viewerEventName).min(1).max(32);

/** Rises with every event of a session; what `Last-Event-ID` says. */
export const eventId = z.number().int().min(0);

/** An event as a player gets it. */
export const viewerEvent = z.object({
  id: eventId,
  event: viewerEventName,
  data: z.record(z.string(), z.unknown()),
});
export type ViewerEvent = z.infer<typeof viewerEvent>;

/** `POST /v1/sessions/{id}/events` */
export const subscribeRequest = z.object({ v, events: wantedEvents });

/** Its answer. */
export const subscribeAnswer = z.object({ v, subscriptionId: z.uuid() });

/** `GET /v1/sessions/{id}/events/{subscription}?after=`: what is new since that event, without `after` how things stand. */
export const eventsAnswer = z.object({
  v,
  events: z.array(viewerEvent),
  /** Of the stream, in all regions, as the last `viewercount` said. A node of an earlier release does not say. */
  viewers: z.number().int().min(0).optional(),
});
