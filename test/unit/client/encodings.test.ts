import { expect, test } from 'vitest';
import { encodingsFor, preferring } from '#client/encodings.js';

const free = { simulcast: true, maxBitrate: undefined };

test.each([
  [1920, 1080, ['l', 'm', 'h'], [450_000, 900_000, 5_000_000]],
  [1280, 720, ['l', 'm', 'h'], [200_000, 700_000, 2_500_000]],
  [720, 1280, ['l', 'm', 'h'], [200_000, 700_000, 2_500_000]],
  [960, 540, ['l', 'm', 'h'], [200_000, 450_000, 900_000]],
  [640, 360, ['m', 'h'], [200_000, 700_000]],
  [480, 270, ['m', 'h'], [200_000, 450_000]],
  [320, 180, [undefined], [200_000]],
])('%i×%i is sent in as many layers as it has room for', (width, height, rids, bitrates) => {
  const encodings = encodingsFor({ width, height }, free);
  expect(encodings.map(({ rid }) => rid)).toEqual(rids);
  expect(encodings.map(({ maxBitrate }) => maxBitrate)).toEqual(bitrates);
  expect(encodings.map(({ scaleResolutionDownBy }) => scaleResolutionDownBy)).toEqual(
    rids.map((_, index) => 2 ** (rids.length - 1 - index)),
  );
});

test('all layers together keep to the bitrate', () => {
  const encodings = encodingsFor({ width: 1280, height: 720 }, { simulcast: true, maxBitrate: 1_000_000 });
  const sum = encodings.reduce((total, { maxBitrate = 0 }) => total + maxBitrate, 0);
  expect(sum).toBeLessThanOrEqual(1_000_000);
  expect(sum).toBeGreaterThan(990_000);
  // No more than the size can use.
  const [only] = encodingsFor({ width: 320, height: 180 }, { simulcast: true, maxBitrate: 9_000_000 });
  expect(only?.maxBitrate).toBe(200_000);
});

test('without simulcast there is one encoding without a name, and a size that is not known is 720p', () => {
  expect(encodingsFor({}, { simulcast: false, maxBitrate: undefined })).toEqual([
    { scaleResolutionDownBy: 1, maxBitrate: 2_500_000 },
  ]);
});

const CODECS = [
  { mimeType: 'video/VP8', clockRate: 90_000 },
  { mimeType: 'video/rtx', clockRate: 90_000 },
  { mimeType: 'video/H264', clockRate: 90_000, sdpFmtpLine: 'packetization-mode=1;profile-level-id=42001f' },
  { mimeType: 'video/H264', clockRate: 90_000, sdpFmtpLine: 'packetization-mode=1;profile-level-id=42e01f' },
];

test('the codec that is wanted goes first and the others stay', () => {
  const names = (wanted: string) =>
    preferring(CODECS, wanted).map(
      ({ mimeType, sdpFmtpLine }) => sdpFmtpLine?.slice(-6) ?? mimeType.slice(6),
    );
  expect(names('h264')).toEqual(['42001f', '42e01f', 'VP8', 'rtx']);
  expect(names('video/H264; profile-level-id=42e01f')).toEqual(['42e01f', 'VP8', 'rtx', '42001f']);
  expect(() => names('AV1')).toThrow(
    'This browser does not send AV1; it sends video/VP8, video/rtx, video/H264.',
  );
});
