// What WHIP and WHEP requests and answers have in common.

import { MAX_SDP_BYTES } from '#routing/node-messages.ts';
import { Problem } from '#routing/problem.ts';
import { bodyText, type HttpAnswer, type HttpEvent } from './endpoint.ts';

/**
 * The body, if it is of the media type and of a size that SDP has.
 * @throws Problem 415, 413 or 400.
 */
export function sdpBody(
  event: HttpEvent,
  mediaType: 'application/sdp' | 'application/trickle-ice-sdpfrag',
): string {
  if (!isMediaType(event, mediaType)) {
    throw new Problem(415, 'unsupported-media-type', `the Content-Type must be ${mediaType}`, {
      Accept: mediaType,
    });
  }
  const text = bodyText(event);
  if (Buffer.byteLength(text) > MAX_SDP_BYTES) {
    throw new Problem(413, 'too-large', `the body is longer than ${MAX_SDP_BYTES} bytes`);
  }
  if (text.trim() === '') throw new Problem(400, 'malformed-sdp', 'the body is empty');
  return text;
}

/** Whether the body's Content-Type is this one, whatever its case and parameters. */
export const isMediaType = ({ headers }: HttpEvent, mediaType: string): boolean =>
  (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() === mediaType;

/** RFC 9725 section 4.2: any OPTIONS gets 200, without credentials, and learns what a POST takes. */
export const options = (): HttpAnswer => ({
  statusCode: 200,
  headers: { 'Accept-Post': 'application/sdp', 'Access-Control-Allow-Private-Network': 'true' },
});

/** RFC 9725 section 4.2: GET on an endpoint or session is a 2xx without content. */
export const noContent = (): HttpAnswer => ({ statusCode: 204 });
