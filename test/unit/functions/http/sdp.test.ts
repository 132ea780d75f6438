// SDP in requests: which bodies are taken.

import { expect, it } from 'vitest';
import { noContent, options, sdpBody } from '#functions/http/sdp.ts';
import { httpEvent } from '../events.ts';

const body = 'v=0\r\ns=-\r\n';
const sent = (type: string | undefined, text = body, base64 = false) =>
  httpEvent({
    method: 'POST',
    path: '/whip/concert',
    headers: type === undefined ? {} : { 'Content-Type': type },
    body: text,
    base64,
  });

it.each([
  'application/sdp',
  'Application/SDP',
  'application/sdp; charset=utf-8',
  'application/sdp;charset=utf-8',
  ' application/sdp ;x=y',
])('takes an offer of the type %j', (type) => {
  expect(sdpBody(sent(type), 'application/sdp')).toBe(body);
});

it('takes a body that came base64-encoded', () => {
  expect(
    sdpBody(sent('application/sdp', Buffer.from(body).toString('base64'), true), 'application/sdp'),
  ).toBe(body);
});

it.each([
  undefined,
  '',
  'application/sdpx',
  'application/json',
  'text/plain',
  'application/trickle-ice-sdpfrag',
  'sdp',
])('the type %j is a 415 that says which one is right', (type) => {
  expect(() => sdpBody(sent(type), 'application/sdp')).toThrow(
    expect.objectContaining({
      status: 415,
      code: 'unsupported-media-type',
      headers: { Accept: 'application/sdp' },
    }),
  );
});

it('a fragment’s type is a fragment’s', () => {
  expect(sdpBody(sent('application/trickle-ice-sdpfrag'), 'application/trickle-ice-sdpfrag')).toBe(body);
  expect(() => sdpBody(sent('application/sdp'), 'application/trickle-ice-sdpfrag')).toThrow(
    expect.objectContaining({ status: 415 }),
  );
});

it('64 kB are taken and no more, counted in bytes', () => {
  expect(sdpBody(sent('application/sdp', 'x'.repeat(65_536)), 'application/sdp')).toHaveLength(65_536);
  for (const text of ['x'.repeat(65_537), 'ü'.repeat(32_769)]) {
    expect(() => sdpBody(sent('application/sdp', text), 'application/sdp')).toThrow(
      expect.objectContaining({ status: 413, code: 'too-large' }),
    );
  }
});

it.each(['', ' ', '\r\n\r\n'])('the empty body %j is a 400', (text) => {
  expect(() => sdpBody(sent('application/sdp', text), 'application/sdp')).toThrow(
    expect.objectContaining({ status: 400, code: 'malformed-sdp' }),
  );
});

it('OPTIONS says what a POST takes, and lets a page reach a private network', () => {
  expect(options()).toEqual({
    statusCode: 200,
    headers: { 'Accept-Post': 'application/sdp', 'Access-Control-Allow-Private-Network': 'true' },
  });
});

it('GET has no content', () => {
  expect(noContent()).toEqual({ statusCode: 204 });
});
