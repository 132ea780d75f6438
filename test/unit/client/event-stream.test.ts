import { expect, test } from 'vitest';
import { EventStreamParser } from '#client/event-stream.js';

const STREAM = [
  'retry: 2000\n\n',
  ': a comment\r\nid: 4\r\nevent: viewercount\r\ndata: {"viewercount":2}\r\n\r\n',
  'id: 5\ndata: one\ndata: two\n\n',
  'event: empty\n\n',
  'id: 6\nevent: cut\ndata: never ended',
].join('');

const EVENTS = [
  { event: 'viewercount', data: '{"viewercount":2}' },
  { event: 'message', data: 'one\ntwo' },
];

test('reads an event stream, whatever pieces it comes in', () => {
  for (let size = 1; size <= STREAM.length; size += 1) {
    const parser = new EventStreamParser();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) events.push(...parser.push(STREAM.slice(at, at + size)));
    expect(events).toEqual(EVENTS);
    expect(parser.retry).toBe(2_000);
  }
});

test('goes on after the last whole event when the stream is cut', () => {
  const parser = new EventStreamParser();
  parser.push('id: 5\ndata: whole\n\nid: 6\ndata: cut');
  parser.end();
  expect(parser.lastId).toBe('5');
  expect(parser.push('data: next\n\n')).toEqual([{ event: 'message', data: 'next' }]);
});

test.each([
  ['0', 500],
  ['2147483648', 60_000],
  ['9'.repeat(400), 60_000],
])('a retry of %s ms is kept between half a second and a minute', (asked, kept) => {
  const parser = new EventStreamParser();
  parser.push(`retry: ${asked}\n`);
  expect(parser.retry).toBe(kept);
});

test.each([
  ['a line without end', 'data: ', 'x'.repeat(1_000)],
  ['an event of lines without end', '', 'data:\n'.repeat(1_000)],
])('%s is too long at 64 kB, and costs no event before it', (_, first, more) => {
  const parser = new EventStreamParser();
  expect(parser.push(`id: 5\ndata: whole\n\n${first}`)).toEqual([{ event: 'message', data: 'whole' }]);
  for (let count = 0; count < 60; count += 1) parser.push(more);
  expect(parser.isTooLong).toBe(false);
  for (let count = 0; count < 6; count += 1) parser.push(more);
  expect(parser.isTooLong).toBe(true);
  parser.end();
  expect(parser.isTooLong).toBe(false);
  expect(parser.lastId).toBe('5');
});
