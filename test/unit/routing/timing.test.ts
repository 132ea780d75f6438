// The durations that the parts agree on, and the environment variables that change them.

import { expect, it } from 'vitest';
import { timingFrom, timingVariable } from '#routing/timing.ts';

it('has the design’s defaults', () => {
  expect(timingFrom({})).toMatchObject({
    heartbeat: 1_000,
    nodeDeadAfter: 3_000,
    legPulse: 100,
    legSilence: 300,
    probe: 300,
    unusedStreamTimeout: 60_000,
    publisherGrace: 30_000,
    connect: 10_000,
    iceConsent: 10_000,
    routeCache: 500,
  });
});

it('names each timing’s variable after it', () => {
  expect(timingVariable('unusedStreamTimeout')).toBe('MERIDIAN_UNUSED_STREAM_TIMEOUT_MS');
  expect(timingVariable('heartbeat')).toBe('MERIDIAN_HEARTBEAT_MS');
  expect(timingVariable('legSilence')).toBe('MERIDIAN_LEG_SILENCE_MS');
});

it('every timing has a variable of its own that changes it and nothing else', () => {
  const defaults = timingFrom({});
  for (const [name, value] of Object.entries(defaults)) {
    expect(timingFrom({ [timingVariable(name)]: String(value + 1) })).toEqual({
      ...defaults,
      [name]: value + 1,
    });
  }
});

it('an empty variable is one that is not set', () => {
  expect(timingFrom({ MERIDIAN_HEARTBEAT_MS: '' })).toEqual(timingFrom({}));
});

it.each([
  ['MERIDIAN_HEARTBEAT_MS', '99', '100'],
  ['MERIDIAN_HEARTBEAT_MS', '60001', '60000'],
  ['MERIDIAN_UNUSED_STREAM_TIMEOUT_MS', '-1', '100'],
  ['MERIDIAN_ICE_CONSENT_MS', '999', '1000'],
])('refuses %s=%s and names the variable, the value and the bound %s', (variable, value, bound) => {
  expect(() => timingFrom({ [variable]: value })).toThrow(
    expect.objectContaining({
      message: expect.stringMatching(new RegExp(`${variable}=${value}: .*\\b${bound}\\b`)),
    }),
  );
});

it('names every variable that is wrong, not only the first', () => {
  expect(() => timingFrom({ MERIDIAN_PROBE_MS: '0', MERIDIAN_CALL_MS: '1' })).toThrow(
    /MERIDIAN_PROBE_MS=0.*MERIDIAN_CALL_MS=1/,
  );
});

it.each(['soon', '1.5', '1s', 'Infinity'])(
  'refuses MERIDIAN_PROBE_MS=%s and names the variable, the value and the range',
  (value) => {
    expect(() => timingFrom({ MERIDIAN_PROBE_MS: value })).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/MERIDIAN_PROBE_MS=.*\b20\b.*\b10000\b/) }),
    );
  },
);

it('a child that beats as often as it can is not given up between two beats', () => {
  const timing = { MERIDIAN_LEG_PULSE_MS: '2000', MERIDIAN_LEG_SILENCE_MS: '6000' };
  expect(() => timingFrom({ ...timing, MERIDIAN_NODE_DEAD_AFTER_MS: '4000' })).toThrow(
    'MERIDIAN_NODE_DEAD_AFTER_MS must be more than twice MERIDIAN_LEG_PULSE_MS',
  );
  expect(timingFrom({ ...timing, MERIDIAN_NODE_DEAD_AFTER_MS: '4001' }).nodeDeadAfter).toBe(4001);
});
