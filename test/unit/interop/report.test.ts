// The table of an interop run: what a reader sees of a cell that passed, failed, was skipped or could not be.

import { describe, expect, it } from 'vitest';
import type { About, Watching } from '#interop/messages.ts';
import { isWell, markdown, notes, rows, summary } from '#interop/report.ts';
import type { Cell, InteropResult } from '#interop/run.ts';

const about = (given: Partial<About> = {}): About => ({
  is: 'about',
  version: 'Client 1.0',
  publishes: ['VP8', 'VP8 simulcast'],
  views: ['VP8'],
  lacks: {},
  limits: [],
  ...given,
});
const seen: Omit<Watching, 'is'> = {
  decoded: 30,
  firstFrameMs: 123.4,
  received: 99,
  lost: 1,
  width: 640,
  height: 360,
};
const cell = (given: Partial<Cell> = {}): Cell => ({
  publisher: 'one',
  form: 'VP8',
  viewer: 'two',
  result: 'PASS',
  why: '',
  seen,
  ...given,
});
const result = (given: Partial<InteropResult> = {}): InteropResult => ({
  clients: [
    { id: 'one', about: about(), missing: '' },
    { id: 'two', about: about({ lacks: { H264: 'no plug-in' }, limits: ['no audio'] }), missing: '' },
    { id: 'three', about: undefined, missing: 'apt-get install three' },
  ],
  cells: [cell()],
  obs: '',
  ...given,
});

describe('rows', () => {
  it('says the first picture’s time and what was lost, the size of simulcast alone', () => {
    const cells = [cell(), cell({ form: 'VP8 simulcast', seen: { ...seen, lost: 0 } })];
    expect(rows(result({ cells }))).toEqual([
      { published: 'one VP8', two: '123 ms, 1.0% lost' },
      { published: 'one VP8 simulcast', two: '123 ms, 640 × 360' },
    ]);
  });

  it('marks a failed cell, and one whose viewer has not got the codec', () => {
    const failed = cell({ viewer: 'one', result: 'FAIL', why: '409' });
    const cells = [failed, cell({ form: 'VP8 simulcast' })];
    expect(rows(result({ cells }))).toEqual([
      { published: 'one VP8', one: 'FAIL', two: '—' },
      { published: 'one VP8 simulcast', one: '—', two: '123 ms, 1.0% lost, 640 × 360' },
    ]);
  });
});

describe('notes', () => {
  it('tell each client that is missing, each codec that is lacking, each limit and each failure', () => {
    const failed = cell({ result: 'FAIL', why: 'not within 45 s' });
    expect(notes(result({ cells: [failed], obs: '422: no' }))).toEqual([
      'SKIP three: apt-get install three',
      'SKIP two H264: no plug-in',
      'LIMIT two: no audio',
      'FAIL one VP8 → two: not within 45 s',
      'FAIL OBS Studio’s recorded offer: 422: no',
    ]);
  });
});

it('counts a client that is missing as skipped, not as passed', () => {
  expect(summary(result())).toBe('1 passed, 0 failed, 2 skipped');
});

it('is well only when no cell failed and OBS’s offer was taken', () => {
  expect(isWell(result())).toBe(true);
  expect(isWell(result({ obs: undefined }))).toBe(true);
  expect(isWell(result({ obs: '422: no' }))).toBe(false);
  expect(isWell(result({ cells: [cell(), cell({ result: 'FAIL', why: 'x' })] }))).toBe(false);
});

it('is written as a page with the table, the versions and the machine', () => {
  const text = markdown(result(), { at: new Date('2026-11-27T10:00:00Z'), machine: '2 × a | b' });
  expect(text).toContain('on 2026-11-27 (2 × a | b)');
  expect(text).toContain('| published | two |\n| --- | --- |\n| one VP8 | 123 ms, 1.0% lost |');
  expect(text).toContain('| one | Client 1.0 |');
  expect(text).toContain('| three | not run: apt-get install three |');
  expect(text).toContain('- SKIP two H264: no plug-in');
});
