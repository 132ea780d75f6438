// Offers of the clients in use, and everything that is refused with a 400 or a 422.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type OfferedMedia, readAnswer, readOffer, taggedSection } from '#media-fleet/sdp/offer.ts';
import { Problem } from '#routing/problem.ts';
import { DATA_SECTION, OFFERS, offerText, PUBLISHERS, plainOffer, VIEWERS } from './offers.ts';

const section = (text: string, kind: 'audio' | 'video'): OfferedMedia => {
  const found = readOffer(text).media.find((media) => media.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
};
const names = ({ codecs }: OfferedMedia) =>
  codecs.map(({ payloadType, mimeType }) => `${payloadType} ${mimeType}`);

it.each(PUBLISHERS)('%s: sends one audio and one video, on one transport', (name) => {
  const offer = readOffer(offerText(name));
  expect(offer.media.map(({ kind }) => kind).toSorted()).toEqual(['audio', 'video']);
  expect(offer.media.map(({ direction }) => direction)).toEqual(['sendonly', 'sendonly']);
  expect(offer.media.flatMap(({ codecs }) => codecs.map(({ mimeType }) => mimeType.toLowerCase()))).toContain(
    'audio/opus',
  );
  expect(offer).toMatchObject({
    answerSetup: 'passive',
    ice: {
      usernameFragment: expect.stringMatching(/^\S{4,}$/),
      password: expect.stringMatching(/^\S{22,}$/),
    },
    dtls: { role: 'client', fingerprints: [{ algorithm: expect.stringMatching(/^sha-/) }] },
  });
});

it.each(VIEWERS)('%s: receives one audio and one video', (name) => {
  const { media } = readOffer(offerText(name));
  expect(media.map(({ direction }) => direction)).toEqual(['recvonly', 'recvonly']);
});

it.each(OFFERS)('%s: reads the same with bare line feeds, and without the last one', (name) => {
  const text = offerText(name);
  expect(readOffer(text.replaceAll('\r\n', '\n'))).toEqual(readOffer(text));
  expect(readOffer(text.trimEnd())).toEqual(readOffer(text));
});

it('Chromium: codecs in its order, each with its retransmissions and its feedback', () => {
  const video = section(offerText('chromium-publisher'), 'video');
  expect(names(video).slice(0, 3)).toEqual(['96 video/VP8', '102 video/H264', '104 video/H264']);
  expect(video.codecs[0]).toEqual({
    payloadType: 96,
    mimeType: 'video/VP8',
    clockRate: 90_000,
    channels: undefined,
    parameters: {},
    fmtp: undefined,
    rtcpFeedback: [
      { type: 'goog-remb' },
      { type: 'transport-cc' },
      { type: 'ccm', parameter: 'fir' },
      { type: 'nack' },
      { type: 'nack', parameter: 'pli' },
    ],
    rtxPayloadType: 97,
  });
  expect(video.codecs.map(({ rtxPayloadType }) => rtxPayloadType).slice(0, 3)).toEqual([97, 103, 107]);
  expect(video.ssrcs).toEqual([{ ssrc: 1_364_433_157, rtx: 3_402_938_488 }]);
  expect(video.extensions).toContainEqual({
    id: 3,
    uri: 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  });
});

it('Chromium: the parameters by which H264 profiles differ, a profile of digits not taken for a number', () => {
  const { codecs } = section(offerText('chromium-publisher'), 'video');
  const h264 = codecs.find(({ payloadType }) => payloadType === 108);
  expect(h264).toMatchObject({
    parameters: { 'level-asymmetry-allowed': 1, 'packetization-mode': 1, 'profile-level-id': '42e01f' },
    fmtp: 'level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
  });
  const digits = section(
    plainOffer(['a=rtpmap:96 VP8', 'a=fmtp:96 profile-level-id=420029\r\na=rtpmap:96 H264']),
    'video',
  );
  expect(digits.codecs[0]?.parameters).toEqual({ 'profile-level-id': '420029' });
});

it('Chromium: audio with its channels, RED and telephone events among the codecs', () => {
  const audio = section(offerText('chromium-publisher'), 'audio');
  expect(names(audio)).toEqual([
    '111 audio/opus',
    '63 audio/red',
    '9 audio/G722',
    '0 audio/PCMU',
    '8 audio/PCMA',
    '13 audio/CN',
    '110 audio/telephone-event',
    '126 audio/telephone-event',
  ]);
  expect(audio.codecs[0]).toMatchObject({
    clockRate: 48_000,
    channels: 2,
    parameters: { minptime: 10, useinbandfec: 1 },
  });
  expect(audio.codecs[3]).toMatchObject({ clockRate: 8_000, channels: 1 });
});

it('Chromium: the rids of its simulcast layers, and no SSRC', () => {
  expect(section(offerText('chromium-simulcast'), 'video')).toMatchObject({
    sendRids: ['h', 'm', 'l'],
    ssrcs: [],
  });
});

it('Firefox: fingerprint of the whole session, braces in its names, extensions of one direction', () => {
  const text = offerText('firefox-publisher');
  expect(readOffer(text).dtls.fingerprints[0]?.value).toMatch(/^67:8E:.*:1C$/);
  const [audio, video] = [section(text, 'audio'), section(text, 'video')];
  expect(names(audio)[0]).toBe('109 audio/opus');
  expect(names(video).slice(0, 3)).toEqual(['120 video/VP8', '121 video/VP9', '126 video/H264']);
  expect(video.codecs[0]).toMatchObject({
    parameters: { 'max-fs': 12_288, 'max-fr': 60 },
    rtxPayloadType: 124,
  });
  expect(video.cname).toBe('{69b4b75e-68fa-3e46-8b0e-6b1f7a1c0f52}');
  expect(audio.extensions).toContainEqual({ id: 2, uri: 'urn:ietf:params:rtp-hdrext:csrc-audio-level' });
});

it('GStreamer: video first, names for mids, OPUS in capitals, parameter sets in the fmtp', () => {
  const text = offerText('gstreamer-publisher');
  expect(readOffer(text).media.map(({ mid }) => mid)).toEqual(['video0', 'audio1']);
  expect(section(text, 'audio').codecs[0]).toMatchObject({ mimeType: 'audio/OPUS', channels: 2 });
  expect(section(text, 'video').codecs[0]?.parameters).toEqual({
    'packetization-mode': 1,
    'profile-level-id': '42c01f',
    'sprop-parameter-sets': 'Z0LAH9oBQBbpqAgICgAAAwACAAADAHkeMGVA,aM48gA==',
  });
});

it.each(['gstreamer-publisher', 'firefox-viewer'] as const)(
  '%s under max-bundle: a bundle-only section of port 0 is no rejected one',
  (name) => {
    const text = offerText(name)
      .replace('m=audio 9', 'm=audio 0')
      .replace(/(a=mid:(?:audio1|1)\r\n)/, 'a=bundle-only\r\n$1');
    expect(readOffer(text)).toEqual(readOffer(offerText(name)));
  },
);

it('a bundle-only section says nothing of its transport', () => {
  const [audio, video] = plainOffer().split('m=video');
  const text = `${audio}m=video${video?.replace(' 9 ', ' 0 ').replace('a=rtcp-mux\r\n', 'a=bundle-only\r\n')}`;
  expect(readOffer(text)).toEqual(readOffer(plainOffer()));
});

it('OBS: credentials of the whole session, H264 constrained baseline without retransmissions, lip sync group', () => {
  const text = offerText('obs-publisher');
  expect(readOffer(text).ice).toEqual({ usernameFragment: 'riAt', password: 'liagNiLAe0isiLRg66/jA5' });
  const video = section(text, 'video');
  expect(video.codecs).toMatchObject([
    { payloadType: 96, parameters: { 'profile-level-id': '42e01f' }, rtxPayloadType: undefined },
  ]);
  expect(video.ssrcs).toEqual([{ ssrc: 3_382_040_869, rtx: undefined }]);
});

it('aiortc: the first section’s credentials of several, one of three fingerprints', () => {
  const text = offerText('aiortc-publisher');
  expect(readOffer(text).ice.usernameFragment).toBe('Ob7q');
  expect(readOffer(text).dtls.fingerprints).toEqual([
    { algorithm: 'sha-512', value: expect.stringMatching(/^93:(\w\w:){62}14$/) },
  ]);
  expect(section(text, 'video').ssrcs).toEqual([{ ssrc: 1_477_349_285, rtx: 2_207_491_607 }]);
});

const reads = (...changes: Parameters<typeof plainOffer>) => readOffer(plainOffer(...changes));

it('a client that is the DTLS server gets a client', () => {
  expect(reads(['setup:actpass', 'setup:passive'])).toMatchObject({
    answerSetup: 'active',
    dtls: { role: 'server' },
  });
  expect(reads(['setup:actpass', 'setup:active'])).toMatchObject({
    answerSetup: 'passive',
    dtls: { role: 'client' },
  });
  expect(reads(['a=setup:actpass\r\n', ''])).toMatchObject({ answerSetup: 'passive' });
});

it('a lone section needs no BUNDLE, and no mid', () => {
  const [audio] = plainOffer(['a=group:BUNDLE 0 1\r\n', ''], ['a=mid:0\r\n', '']).split('m=video');
  expect(readOffer(audio ?? '').media).toMatchObject([{ kind: 'audio', mid: '0' }]);
});

it('a section without a direction sends and receives', () => {
  expect(reads(['a=sendonly\r\n', '']).media[0]?.direction).toBe('sendrecv');
});

it('codecs come in the order of the m= line, and what it does not name is left out', () => {
  const text = plainOffer(
    ['SAVPF 96 97', 'SAVPF 98 96 97'],
    ['a=rtpmap:96', 'a=rtpmap:99 AV1/90000\r\na=rtpmap:96'],
    ['a=ssrc-group', 'a=rtpmap:98 VP9/90000\r\na=ssrc-group'],
  );
  expect(names(section(text, 'video'))).toEqual(['98 video/VP9', '96 video/VP8']);
});

it('feedback for every payload type is each codec’s', () => {
  const text = plainOffer(['a=rtcp-fb:96 nack\r\n', 'a=rtcp-fb:* ccm fir\r\n']);
  expect(section(text, 'video').codecs[0]?.rtcpFeedback).toEqual([
    { type: 'ccm', parameter: 'fir' },
    { type: 'nack', parameter: 'pli' },
  ]);
});

it.each([
  ['send a;b', ['a', 'b']],
  ['send b;a', ['b', 'a']],
  ['recv c send a;b', ['a', 'b']],
  ['send ~a;b', ['a', 'b']],
  ['send a,c;b', ['a', 'b']],
  ['send a;unknown', ['a']],
  ['recv a;b', []],
])('simulcast %s sends the layers %j', (line, rids) => {
  const lines = `a=rid:a send\r\na=rid:b send\r\na=rid:c recv\r\na=simulcast:${line}\r\n`;
  expect(section(plainOffer(['a=ssrc-group:FID 2001 2002\r\n', lines]), 'video').sendRids).toEqual(rids);
});

const problemOf = (text: string): Problem => {
  try {
    readOffer(text);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error('the offer was taken');
};

it.each([
  ['nothing', ''],
  ['no SDP', 'hello'],
  ['JSON', '{"type":"offer","sdp":"v=0"}'],
  ['another version', plainOffer(['v=0', 'v=1'])],
  ['a line before the version', `a=x\r\n${plainOffer()}`],
  ['a line without a letter', plainOffer(['a=setup', '=setup'])],
  ['a line that is empty', plainOffer(['s=-\r\n', 's=-\r\n\r\n'])],
  ['a line without end', plainOffer(['useinbandfec=1', `useinbandfec=${'1'.repeat(5_000)}`])],
  ['a NUL, which an answer would say back', plainOffer(['useinbandfec=1', 'useinbandfec=1;stereo=\0'])],
  ['bare carriage returns', plainOffer().replaceAll('\n', '')],
  ['no media section', 'v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n'],
  ['no ICE user name', plainOffer(['a=ice-ufrag:ufrg\r\n', ''])],
  ['no ICE password', plainOffer(['a=ice-pwd:0123456789abcdefghijkl\r\n', ''])],
  ['no fingerprint', plainOffer([/a=fingerprint.*\r\n/, ''])],
  ['a fingerprint of an unknown kind', plainOffer(['sha-256', 'md5'])],
  ['a fingerprint that is none', plainOffer([/sha-256 .*/, 'sha-256 A1:ZZ'])],
  ['no codec', plainOffer(['a=rtpmap:111 opus/48000/2\r\n', ''])],
  ['two sections of one mid', plainOffer(['BUNDLE 0 1', 'BUNDLE 0'], ['a=mid:1', 'a=mid:0'])],
  ['a bundle of sections that are missing', plainOffer(['BUNDLE 0 1', 'BUNDLE 0 1 2'])],
])('%s is a 400', (_, text) => {
  expect(problemOf(text)).toMatchObject({ status: 400, code: 'malformed-sdp' });
});

it.each([
  ['two audio sections', plainOffer(['m=video', 'm=audio']), 'more than one audio'],
  [
    'a data channel',
    plainOffer(['m=video 9 UDP/TLS/RTP/SAVPF 96 97', 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel']),
    'application',
  ],
  ['a rejected section', plainOffer(['m=video 9', 'm=video 0']), 'rejected video'],
  ['media without encryption', plainOffer(['m=audio 9 UDP/TLS/RTP/SAVPF', 'm=audio 9 RTP/AVP']), 'RTP/AVP'],
  ['RTCP on a port of its own', plainOffer(['a=rtcp-mux\r\n', '']), 'rtcp-mux'],
  ['sections outside the bundle', plainOffer(['BUNDLE 0 1', 'BUNDLE 0']), 'bundle'],
  ['no bundle', plainOffer(['a=group:BUNDLE 0 1\r\n', '']), 'bundle'],
  ['an existing DTLS association', plainOffer(['setup:actpass', 'setup:holdconn']), 'holdconn'],
])('%s is a 422 that says so', (_, text, said) => {
  expect(problemOf(text)).toMatchObject({
    status: 422,
    code: 'unusable-sdp',
    message: expect.stringContaining(said),
  });
});

it('an offer cut off after any line is a Problem or an offer', () => {
  for (const name of OFFERS) {
    const lines = offerText(name).split('\r\n');
    for (let length = 0; length < lines.length; length += 1) {
      const outcome = outcomeOf(lines.slice(0, length).join('\r\n'));
      expect(outcome, `${name} after ${length} lines`).not.toBeInstanceOf(TypeError);
    }
  }
});

/** What reading a text comes to: anything but an offer and a Problem is thrown on. */
function outcomeOf(text: string): 'offer' | 'refused' {
  try {
    readOffer(text);
    return 'offer';
  } catch (error) {
    if (error instanceof Problem) return 'refused';
    throw error;
  }
}

it('no text is anything but an offer or a Problem', () => {
  const line = fc
    .tuple(fc.constantFrom(...'vosmtacb'), fc.string())
    .map(([letter, value]) => `${letter}=${value}`);
  const texts = fc.oneof(
    fc.string(),
    fc.array(line).map((lines) => ['v=0', ...lines].join('\r\n')),
  );
  fc.assert(
    fc.property(texts, (text) => outcomeOf(text) !== undefined),
    { numRuns: 300 },
  );
});

const change = fc.oneof(
  fc.record({ how: fc.constant('drop' as const), at: fc.nat(), with: fc.constant('') }),
  fc.record({ how: fc.constant('twice' as const), at: fc.nat(), with: fc.constant('') }),
  fc.record({ how: fc.constant('cut' as const), at: fc.nat(), with: fc.constant('') }),
  fc.record({
    how: fc.constant('value' as const),
    at: fc.nat(),
    with: fc.constantFrom(
      '',
      '0',
      '1',
      '-1',
      '4294967296',
      'x',
      ' ',
      '1 2',
      ';=',
      '*',
      '~',
      '__proto__',
      '%',
      'é',
    ),
  }),
);

/** One line left out, said twice, cut off somewhere, or with the end of its value replaced. */
function changed(text: string, { how, at, with: value }: { how: string; at: number; with: string }): string {
  const lines = text.split('\r\n');
  const index = at % lines.length;
  const line = lines[index] ?? '';
  const heads = [...line.matchAll(/[ :;=/]/g)].map((match) => match.index + 1);
  const head = heads[at % Math.max(1, heads.length)] ?? 2;
  if (how === 'drop') lines.splice(index, 1);
  else if (how === 'twice') lines.splice(index, 0, line);
  else if (how === 'cut') lines[index] = line.slice(0, Math.max(2, at % (line.length + 1)));
  else lines[index] = `${line.slice(0, head)}${value}`;
  return lines.join('\r\n');
}

it('a damaged offer is a Problem or an offer', () => {
  const texts = fc
    .tuple(fc.constantFrom(...OFFERS), fc.array(change, { minLength: 1, maxLength: 4 }))
    .map(([name, changes]) => changes.reduce(changed, offerText(name)));
  fc.assert(
    fc.property(texts, (text) => outcomeOf(text) !== undefined),
    { numRuns: 2_000 },
  );
});

it.each([
  ['a codec', 'a=rtpmap:97 rtx/90000', 'a=rtpmap:97 264/90000'],
  ['codec parameters', 'a=fmtp:97 apt=96', 'a=fmtp:97 96'],
  ['a group of one SSRC', 'a=ssrc-group:FID 2001 2002', 'a=ssrc-group:FID 2001'],
  ['a lone layer', 'a=ssrc-group:FID 2001 2002', 'a=rid:1 send\r\na=simulcast:send 1'],
])('%s that is all digits is no TypeError', (_, from, to) => {
  expect(outcomeOf(plainOffer([from, to]))).toBeDefined();
});

it('names of digits stay text', () => {
  const text = plainOffer(
    ['cname:plain', 'cname:12345'],
    ['a=sendonly', 'a=sendonly\r\na=msid:77 78'],
    ['ice-ufrag:ufrg', 'ice-ufrag:1234'],
  );
  expect(readOffer(text)).toMatchObject({
    ice: { usernameFragment: '1234' },
    media: [{ cname: '12345', msid: '77', mid: '0' }, {}],
  });
});

it('a hash function may be named in capitals', () => {
  expect(reads(['sha-256', 'SHA-256'])).toEqual(reads());
});

it.each([
  [
    'a payload type above 127',
    /payload type above 127/,
    [
      ['96 97', '296 97'],
      ['a=rtpmap:96 ', 'a=rtpmap:296 '],
    ],
  ],
  ['a payload type given twice', /same payload type/, [['a=rtpmap:97 rtx/90000', 'a=rtpmap:96 VP9/90000']]],
  ['a header extension of number 0', /extension 0/, [['a=rtpmap:96', 'a=extmap:0 urn:x\r\na=rtpmap:96']]],
  ['an SSRC of 0', /SSRC/, [['FID 2001 2002', 'FID 2001 0']]],
  ['an SSRC of 33 bits', /SSRC/, [['FID 2001 2002', 'FID 2001 4294967296']]],
  [
    'a layer named twice',
    /layer of video twice/,
    [['a=ssrc-group:FID 2001 2002', 'a=rid:a send\r\na=simulcast:send a;a']],
  ],
] as const)('%s is malformed', (_, why, changes) => {
  expect(refusalOf(plainOffer(...changes.map(([from, to]): [string, string] => [from, to])))).toMatchObject({
    status: 400,
    message: expect.stringMatching(why),
  });
});

it('more than four layers are unusable', () => {
  const rids = ['a', 'b', 'c', 'd', 'e'];
  const lines = rids.map((rid) => `a=rid:${rid} send`).join('\r\n');
  const text = plainOffer(['a=ssrc-group:FID 2001 2002', `${lines}\r\na=simulcast:send ${rids.join(';')}`]);
  expect(refusalOf(text)).toMatchObject({ status: 422, message: expect.stringMatching(/5 layers/) });
});

it('rids may have hyphens and underscores (RFC 8851 section 10)', () => {
  const lines =
    'a=rid:lo-res send\r\na=rid:hi_res send\r\na=rid:x-in recv\r\na=simulcast:send lo-res;hi_res;x-in';
  expect(section(plainOffer(['a=ssrc-group:FID 2001 2002', lines]), 'video').sendRids).toEqual([
    'lo-res',
    'hi_res',
  ]);
});

it('header-extension ids that only ask for another are left out', () => {
  const text = plainOffer(['a=ssrc-group:FID 2001 2002', 'a=extmap:4096 urn:x\r\na=extmap:3 urn:y']);
  expect(section(text, 'video').extensions).toContainEqual({ id: 3, uri: 'urn:y' });
  expect(section(text, 'video').extensions).not.toContainEqual({ id: 4096, uri: 'urn:x' });
});

function refusalOf(text: string): unknown {
  try {
    return readOffer(text);
  } catch (error) {
    return error;
  }
}

const withData = (section = DATA_SECTION) => `${plainOffer(['BUNDLE 0 1', 'BUNDLE 0 1 2'])}${section}`;

it('a data channel is read where it may be offered, and stays out of the media', () => {
  const { data, media } = readOffer(withData(), { data: true });
  expect(data).toEqual({ mid: '2', protocol: 'UDP/DTLS/SCTP', index: 2, maxMessageSize: 262_144 });
  expect(media).toEqual(readOffer(plainOffer()).media);
  expect(() => readOffer(withData())).toThrow(
    expect.objectContaining({ status: 422, message: expect.stringContaining('application') }),
  );
});

it('an answer may refuse a section, the first of all included', () => {
  const refusing = (kind: string, bundle: string) =>
    withData().replace(`m=${kind} 9`, `m=${kind} 0`).replace('BUNDLE 0 1 2', `BUNDLE ${bundle}`);
  const { data, media } = readAnswer(refusing('application', '0 1'));
  expect([data, media]).toEqual([undefined, readOffer(plainOffer()).media]);

  // A section that is refused says nothing of the transport.
  const answer = refusing('audio', '1 2');
  const transport = /a=ice-ufrag.+?(?=a=rtcp-mux)/s.exec(answer)?.[0] ?? '';
  const silent = readAnswer(answer.replace(transport, '').replace('a=mid:1', `${transport}a=mid:1`));
  expect([silent.media.map(({ kind }) => kind), silent.data?.index]).toEqual([['video'], 2]);
  expect(taggedSection(silent)).toMatchObject({ kind: 'video', mid: '1' });
});

it('an answer that refuses every section is a 422', () => {
  expect(() => readAnswer(plainOffer([/^m=(\w+) 9/gm, 'm=$1 0']))).toThrow(
    expect.objectContaining({ status: 422, message: expect.stringContaining('every section') }),
  );
});

it('an offer without one has none', () => {
  expect(readOffer(plainOffer(), { data: true }).data).toBeUndefined();
});

it('without a=max-message-size it takes 64 KiB (RFC 8841)', () => {
  const text = withData(DATA_SECTION.replace('a=max-message-size:262144\r\n', ''));
  expect(readOffer(text, { data: true }).data?.maxMessageSize).toBe(65_536);
});

it('the section of the candidates is the first, data channels included', () => {
  expect(taggedSection(readOffer(withData(), { data: true }))).toMatchObject({ kind: 'audio', mid: '0' });
  const lines = withData();
  const first = lines.indexOf('m=audio');
  const moved = `${lines.slice(0, first)}${DATA_SECTION}${lines.slice(first, lines.indexOf('m=application'))}`;
  expect(taggedSection(readOffer(moved, { data: true }))).toEqual({ kind: 'application', mid: '2' });
});

it.each([
  ['outside the bundle', DATA_SECTION.replace('a=mid:2', 'a=mid:3'), 400, 'bundles a section 2'],
  ['that are rejected', DATA_SECTION.replace('m=application 9', 'm=application 0'), 422, 'rejected'],
  ['over another protocol', DATA_SECTION.replace('UDP/DTLS/SCTP', 'DTLS/SCTP'), 422, 'DTLS/SCTP'],
  ['of something else', DATA_SECTION.replace('webrtc-datachannel', '5000'), 422, '5000'],
  ['on another port', DATA_SECTION.replace('sctp-port:5000', 'sctp-port:5001'), 422, '5001'],
  ['without a port', DATA_SECTION.replace('a=sctp-port:5000\r\n', ''), 422, 'sctp-port'],
  ['twice', `${DATA_SECTION}${DATA_SECTION.replace('mid:2', 'mid:3')}`, 422, 'more than one'],
])('data channels %s are refused', (_, section, status, said) => {
  expect(() => readOffer(withData(section), { data: true })).toThrow(
    expect.objectContaining({ status, message: expect.stringContaining(said) }),
  );
});
