// Changes to an SDP text: of its lines, of its words, and of what it says. Each is small, and reads well in a report.

import fc from 'fast-check';
import { hostileText, numberText, type Repeated, repeat, repeated } from './texts.ts';

/** Longest line that a change makes, in characters: about as much as a whole body may have. */
const LONGEST = 64_000;
/** Longest text that comes of all changes, in characters: far more than is read, less than API Gateway refuses. */
const MAX_TEXT = 200_000;

export type Mutation =
  | { how: 'delete' | 'end-after'; at: number }
  | { how: 'duplicate'; at: number; times: number }
  | { how: 'swap'; at: number; with: number }
  /** The text's first so many thousandths. */
  | { how: 'cut'; thousandths: number }
  | { how: 'insert-line'; at: number; line: string }
  | { how: 'line-ends'; to: string }
  | { how: 'number' | 'word'; at: number; to: string }
  | { how: 'insert-text'; thousandths: number; text: string }
  | { how: 'long-line'; at: number; by: Repeated }
  | { how: 'value'; of: string; every: boolean; to: string }
  | { how: 'long-value'; of: string; by: Repeated }
  | { how: 'sections'; times: number; mids: 'same' | 'new' }
  | { how: 'one-payload-type'; to: string }
  | { how: 'shift-payload-types'; by: number }
  | { how: 'rids'; names: readonly string[]; direction: string }
  /** Other names for the sections, in every place where one stands. */
  | { how: 'mids'; name: string | Repeated }
  /** Another parameter on every a=fmtp line. */
  | { how: 'parameters'; name: string; value: Repeated }
  | { how: 'candidates'; times: number; text: string };

/** What a line begins with whose value is worth changing. */
const VALUES = [
  ...['m=', 'c=', 'o=', 's=', 't=', 'b=', 'a=group:', 'a=mid:', 'a=msid:', 'a=msid-semantic:', 'a=setup:'],
  ...['a=ice-ufrag:', 'a=ice-pwd:', 'a=ice-options:', 'a=fingerprint:', 'a=extmap:', 'a=rtpmap:', 'a=fmtp:'],
  ...[
    'a=rtcp-fb:',
    'a=rtcp:',
    'a=rtcp-mux',
    'a=ssrc:',
    'a=ssrc-group:',
    'a=rid:',
    'a=simulcast:',
    'a=candidate:',
  ],
  ...[
    'a=imageattr:',
    'a=crypto:',
    'a=bundle-only',
    'a=source-filter:',
    'a=sctpmap:',
    'a=ptime:',
    'a=framerate:',
  ],
];

/** Values that are right in form, and wrong or at an edge in what they say. */
const VALUE_TEXTS = [
  ...[
    'audio 0 UDP/TLS/RTP/SAVPF 0',
    'video 9 UDP/TLS/RTP/SAVPF',
    'application 9 UDP/DTLS/SCTP webrtc-datachannel',
  ],
  ...['audio 9 UDP/TLS/RTP/SAVPF 111 111 111', 'text 9 RTP/AVP 0', 'audio 9/2 UDP/TLS/RTP/SAVP 96', 'x'],
  ...[
    'BUNDLE',
    'BUNDLE 0',
    'BUNDLE 1 0',
    'BUNDLE 0 0 1 1',
    'LS 0 1',
    'BUNDLE 0 1 2',
    'active',
    'passive',
    'holdconn',
  ],
  ...[
    'sha-256 AA',
    `sha-1 ${'AB:'.repeat(19)}AB`,
    `sha-512 ${'AB:'.repeat(31)}AB`,
    `md5 ${'AB:'.repeat(15)}AB`,
  ],
  ...[`sha-256 ${'AB:'.repeat(63)}AB`, `SHA-256 ${'ab:'.repeat(31)}ab`, `sha-224 ${'00:'.repeat(27)}00`],
  ...[
    '0 opus/48000/2',
    '96 opus/48000/2',
    '111 OPUS/48000',
    '111 opus/48000/255',
    '96 VP8/0',
    '96 VP8/90000/2',
  ],
  ...[
    '96 H264/90000',
    '96 rtx/90000',
    '96 AV1/4294967296',
    '96 123/90000',
    '96 x/y/z',
    '* VP8/90000',
    '128 VP8/90000',
  ],
  ...[
    '96 apt=96',
    '97 apt=97',
    '97 apt=-1',
    '96 profile-level-id=ZZZZZZ',
    '96 profile-level-id=42e01',
    '96 __proto__=1',
  ],
  ...[
    '96 packetization-mode=9',
    '96 profile-id=-1',
    '96 =;=;=',
    '111 stereo=1;stereo=2',
    '96 x-google-start-bitrate=1e9',
  ],
  ...['* nack', '96 nack pli', '96 transport-cc', '96 ccm fir', '96 trr-int 4294967296', '128 nack', '96 '],
  ...[
    '0 urn:ietf:params:rtp-hdrext:sdes:mid',
    '15 urn:ietf:params:rtp-hdrext:sdes:mid',
    '256 urn:x',
    '4096 urn:x',
  ],
  ...[
    '1 urn:ietf:params:rtp-hdrext:encrypt urn:ietf:params:rtp-hdrext:sdes:mid',
    '1/sendonly urn:x',
    '14 urn:3gpp:video-orientation',
  ],
  ...[
    '0 cname:x',
    '4294967296 cname:x',
    '1 cname:',
    '1 msid:a b',
    '1 cname:\u0000',
    'FID 1 1',
    'FID 1',
    'FID 1 2 3',
    'SIM 1 2 3',
  ],
  ...[
    'a send',
    'a recv',
    'a-b_c send pt=96;max-width=1',
    'send a;b',
    'send a;a',
    'send ~a,b;c recv d',
    'recv a',
    'send',
  ],
  ...[
    '1 1 udp 1 127.0.0.1 9 typ host',
    '1 1 tcp 1 ::1 9 typ host tcptype active',
    '1 2 udp -1 x.local 99999 typ x',
  ],
  ...['* send [x=1,y=1] recv [x=1]', '96 send * recv *', '1 AES_CM_128_HMAC_SHA1_80 inline:AAAA'],
];

const at = fc.nat(400);
const thousandths = fc.nat(1_000);
const how = <How extends string>(name: How) => fc.constant(name);

/** Changes of lines and words, which know nothing of SDP. */
const plain: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ how: fc.constantFrom('delete' as const, 'end-after' as const), at }),
  fc.record({ how: how('duplicate'), at, times: fc.oneof(fc.nat(3), fc.nat(200)) }),
  fc.record({ how: how('swap'), at, with: at }),
  fc.record({ how: how('cut'), thousandths }),
  fc.record({
    how: how('insert-line'),
    at,
    line: fc.oneof(
      hostileText,
      fc.tuple(fc.constantFrom(...VALUES), hostileText).map(([name, value]) => `${name}${value}`),
    ),
  }),
  fc.record({
    how: how('line-ends'),
    to: fc.constantFrom('\n', '\r', '\n\r', '\r\n\r\n', '\r\r\n', '\u2028', '', '\0'),
  }),
  fc.record({ how: how('number'), at, to: numberText }),
  fc.record({ how: how('word'), at, to: hostileText }),
  fc.record({ how: how('insert-text'), thousandths, text: hostileText }),
  fc.record({ how: how('long-line'), at, by: repeated(LONGEST) }),
);

/** Changes of what the text says. */
const meant: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({
    how: how('value'),
    of: fc.constantFrom(...VALUES),
    every: fc.boolean(),
    to: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...VALUE_TEXTS) },
      { weight: 1, arbitrary: hostileText },
      { weight: 1, arbitrary: numberText },
    ),
  }),
  fc.record({ how: how('long-value'), of: fc.constantFrom(...VALUES), by: repeated(LONGEST) }),
  fc.record({
    how: how('sections'),
    times: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.nat(400)),
    mids: fc.constantFrom('same' as const, 'new' as const),
  }),
  fc.record({ how: how('one-payload-type'), to: numberText }),
  fc.record({ how: how('shift-payload-types'), by: fc.integer({ min: 1, max: 127 }) }),
  fc.record({
    how: how('rids'),
    names: fc.oneof(
      fc.array(fc.constantFrom('a', 'b', 'hi', 'h', 'l', '0', '1', '2', 'a-b', 'a_b', 'x'.repeat(16)), {
        maxLength: 6,
      }),
      fc.array(hostileText, { maxLength: 5 }),
      fc.nat(1_000).map((count) => Array.from({ length: count }, (_, index) => `r${index}`)),
    ),
    direction: fc.constantFrom('send', 'recv', 'send ', 'sendrecv'),
  }),
  fc.record({ how: how('mids'), name: fc.oneof(hostileText, repeated(LONGEST)) }),
  fc.record({
    how: how('parameters'),
    name: fc.oneof(
      hostileText,
      fc.constantFrom('apt', 'profile-level-id', 'packetization-mode', 'profile-id', 'stereo'),
    ),
    value: repeated(LONGEST),
  }),
  fc.record({
    how: how('candidates'),
    times: fc.oneof(fc.nat(5), fc.nat(600)),
    text: fc.oneof(hostileText, fc.constantFrom('1 1 udp 2113937151 192.0.2.1 61764 typ host generation 0')),
  }),
);

/** Mostly one to three of them; none now and then, for the offer as it is must be taken. */
export const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.oneof({ weight: 2, arbitrary: plain }, { weight: 3, arbitrary: meant }),
  { maxLength: 4, size: 'medium' },
);

/** The text with all the changes made, one after another; half a character cannot be sent. */
export const mutate = (text: string, changes: readonly Mutation[]): string =>
  changes.reduce((before, mutation) => changed(before, mutation).slice(0, MAX_TEXT), text).toWellFormed();

const END = '\r\n';
/** That are renamed of a bundle: more would make a text without end. */
const MOST_MIDS = 10;
const NUMBER = /\d+/g;
const WORD = /[^\s:=/;,]+/g;

function changed(text: string, mutation: Mutation): string {
  const lines = text.split(END);
  const index = 'at' in mutation ? mutation.at % lines.length : 0;
  const line = lines[index] ?? '';
  switch (mutation.how) {
    case 'delete':
      return lines.toSpliced(index, 1).join(END);
    case 'end-after':
      return lines.slice(0, index + 1).join(END);
    case 'duplicate':
      return lines.toSpliced(index, 0, ...Array.from({ length: mutation.times }, () => line)).join(END);
    case 'swap': {
      const other = mutation.with % lines.length;
      return lines
        .with(index, lines[other] ?? '')
        .with(other, line)
        .join(END);
    }
    case 'cut':
      return text.slice(0, Math.ceil((text.length * mutation.thousandths) / 1_000));
    case 'insert-line':
      return lines.toSpliced(index, 0, mutation.line).join(END);
    case 'line-ends':
      return text.replaceAll(END, () => mutation.to);
    case 'number':
      return replaceNth(text, NUMBER, mutation);
    case 'word':
      return replaceNth(text, WORD, mutation);
    case 'insert-text': {
      const point = Math.floor((text.length * mutation.thousandths) / 1_000);
      return text.slice(0, point) + mutation.text + text.slice(point);
    }
    case 'long-line':
      return lines.with(index, line + repeat(mutation.by)).join(END);
    case 'value':
      return withValue(lines, mutation.of, mutation.to, mutation.every).join(END);
    case 'long-value':
      return withValue(lines, mutation.of, repeat(mutation.by), false).join(END);
    case 'sections':
      return withSections(lines, mutation).join(END);
    case 'one-payload-type':
      return renumber(text, () => mutation.to);
    case 'shift-payload-types':
      return renumber(text, (payloadType) => String((Number(payloadType) + mutation.by) % 128));
    case 'rids': {
      const names = mutation.names.map((name) => `a=rid:${name} ${mutation.direction}`);
      const last = `a=simulcast:${mutation.direction} ${mutation.names.join(';')}`;
      return `${text}${[...names, last].join(END)}${END}`;
    }
    case 'mids': {
      const name = typeof mutation.name === 'string' ? mutation.name : repeat(mutation.name);
      return lines
        .map((line) => {
          if (line.startsWith('a=mid:')) return `a=mid:${name}${line.slice('a=mid:'.length)}`;
          if (!line.startsWith('a=group:BUNDLE')) return line;
          const [head, ...mids] = line.split(' ', MOST_MIDS);
          return [head, ...mids.map((mid) => name + mid)].join(' ');
        })
        .join(END);
    }
    case 'parameters':
      return putAfter(text, /^a=fmtp:.*?(?=\r?$)/gm, `;${mutation.name}=${repeat(mutation.value)}`);
    case 'candidates':
      return text + `a=candidate:${mutation.text}${END}`.repeat(mutation.times);
  }
}

function replaceNth(text: string, pattern: RegExp, { at: wanted, to }: { at: number; to: string }): string {
  const found = [...text.matchAll(pattern)];
  const match = found[wanted % Math.max(1, found.length)];
  if (match === undefined) return text;
  return text.slice(0, match.index) + to + text.slice(match.index + match[0].length);
}

/** Puts a text after each match, as far as the whole stays within bounds. */
function putAfter(text: string, after: RegExp, added: string): string {
  let room = MAX_TEXT - text.length;
  return text.replace(after, (match) => {
    room -= added.length;
    return room < 0 ? match : match + added;
  });
}

/** The first line of the kind, or every one, says something else; where there is none it is put below the first m= line. */
function withValue(lines: readonly string[], of: string, to: string, every: boolean): string[] {
  const first = lines.findIndex((line) => line.startsWith(of));
  if (first < 0) {
    const section = lines.findIndex((line) => line.startsWith('m='));
    return lines.toSpliced(section + 1, 0, of + to);
  }
  return lines.map((line, index) => (line.startsWith(of) && (every || index === first) ? of + to : line));
}

function withSections(
  lines: readonly string[],
  { times, mids }: { times: number; mids: 'same' | 'new' },
): string[] {
  const last = lines.findLastIndex((line) => line.startsWith('m='));
  if (last < 0) return [...lines];
  const section = lines.slice(last).filter((line) => line !== '');
  const added = Array.from({ length: times }, (_, copy) =>
    section.map((line) => (mids === 'new' && line.startsWith('a=mid:') ? `a=mid:more${copy}` : line)),
  );
  const names = mids === 'new' ? added.map((_, copy) => ` more${copy}`).join('') : '';
  const head = lines.slice(0, last).map((line) => (line.startsWith('a=group:BUNDLE') ? line + names : line));
  return [...head, ...section, ...added.flat(), ''];
}

/** Every payload type in every place where one stands. */
const renumber = (text: string, to: (payloadType: string) => string): string =>
  text
    .replace(
      /^(m=\w+ \d+ \S+ )([\d ]+)/gm,
      (_, head: string, list: string) => head + list.split(' ').map(to).join(' '),
    )
    .replace(/^(a=(?:rtpmap|fmtp|rtcp-fb):)(\d+)/gm, (_, head: string, one: string) => head + to(one))
    .replace(/\bapt=(\d+)/g, (_, one: string) => `apt=${to(one)}`);
