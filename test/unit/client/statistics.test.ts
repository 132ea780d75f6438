import { expect, test } from 'vitest';
import { bytesIn, checkedInterval, Meter, usernameFragmentInUse } from '#client/statistics.js';

const received = (bytesReceived: number) => [
  { id: 'T', type: 'transport', bytesReceived: bytesReceived + 100, selectedCandidatePairId: 'P' },
  { id: 'P', type: 'candidate-pair', localCandidateId: 'L', currentRoundTripTime: 0.02 },
  { id: 'L', type: 'local-candidate', usernameFragment: 'abcd' },
  {
    id: 'V',
    type: 'inbound-rtp',
    kind: 'video',
    bytesReceived,
    packetsLost: 3,
    frameWidth: 640,
    frameHeight: 360,
    framesPerSecond: 30,
    framesDecoded: 12,
    framesDropped: 1,
    freezeCount: 2,
  },
  { id: 'A', type: 'inbound-rtp', kind: 'audio', bytesReceived: 0, packetsLost: 1 },
];

test('a player: bits since the last reading, losses, the way', () => {
  const meter = new Meter('inbound-rtp', 0);
  meter.read(received(1_000), 1_000);
  expect(meter.read(received(6_000), 1_500)).toEqual({
    at: 1_500,
    bitrate: 80_000,
    roundTripTime: 20,
    packetsLost: 4,
    frames: 12,
    framesDropped: 1,
    framesPerSecond: 30,
    frameWidth: 640,
    frameHeight: 360,
    freezes: 2,
    layers: [],
    limitedBy: undefined,
  });
});

test('a publisher: each layer, smallest first, and what the server reports as lost', () => {
  const layer = (rid: string, frameHeight: number, bytesSent: number) => ({
    id: rid,
    type: 'outbound-rtp',
    kind: 'video',
    rid,
    bytesSent,
    frameWidth: frameHeight * 2,
    frameHeight,
    framesPerSecond: 30,
    framesEncoded: 7,
    qualityLimitationReason: rid === 'h' ? 'bandwidth' : 'none',
  });
  const report = [
    layer('h', 360, 500),
    layer('l', 90, 250),
    { id: 'R', type: 'remote-inbound-rtp', kind: 'video', packetsLost: 5 },
  ];
  expect(new Meter('outbound-rtp', 0).read(report, 1_000)).toMatchObject({
    bitrate: 6_000,
    packetsLost: 5,
    frameHeight: 360,
    frames: 7,
    limitedBy: 'bandwidth',
    layers: [
      { rid: 'l', width: 180, height: 90, framesPerSecond: 30, bitrate: 2_000 },
      { rid: 'h', width: 720, height: 360, framesPerSecond: 30, bitrate: 4_000 },
    ],
  });
});

test('a layer that is not sent yet keeps its place', () => {
  const layer = (rid: string, encodingIndex: number, frameHeight: number) => ({
    id: rid,
    type: 'outbound-rtp',
    kind: 'video',
    rid,
    encodingIndex,
    frameHeight,
  });
  const report = [layer('h', 2, 0), layer('m', 1, 360), layer('l', 0, 180)];
  const { layers, frameHeight } = new Meter('outbound-rtp', 0).read(report, 1_000);
  expect(layers.map(({ rid }) => rid)).toEqual(['l', 'm', 'h']);
  expect(frameHeight).toBe(360);
});

test('a stream that begins anew has no negative bitrate', () => {
  const meter = new Meter('inbound-rtp', 0);
  meter.read(received(9_000), 1_000);
  expect(meter.read(received(0), 2_000).bitrate).toBe(0);
});

test('what came in is counted by transport, and by flow where the browser has no such count', () => {
  expect(bytesIn(received(900))).toBe(1_000);
  expect(bytesIn(received(900).filter(({ type }) => type !== 'transport'))).toBe(900);
});

test('the way that media takes has our user name', () => {
  expect(usernameFragmentInUse(received(0))).toBe('abcd');
  expect(usernameFragmentInUse([])).toBeUndefined();
});

test('an interval that is none is refused', () => {
  expect(checkedInterval(100)).toBe(100);
  for (const wrong of [0, 99, 60_001, Number.NaN]) expect(() => checkedInterval(wrong)).toThrow(RangeError);
});
