// What nobody should send: numbers at their edges, and text of every kind.

import fc from 'fast-check';

/** Where a number was: the edges of 7, 8, 16, 31, 32 and 53 bits, and what only looks like a number. */
export const numberText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    ...['', '0', '-1', '-0', '00', '007', '+1', '1.5', '1e3', '1e400', '0x10', 'NaN', 'Infinity', '٣', '½'],
    ...['127', '128', '255', '256', '65535', '65536', '2147483647', '2147483648', '4294967295', '4294967296'],
    ...['9007199254740993', '18446744073709551616', '9'.repeat(400)],
  ),
  fc.nat(130).map(String),
  fc.integer().map(String),
);

/** Names that mean something to JavaScript, shells, SQL, paths, and headers; and what is no text at all. */
const CHOSEN = [
  ...['', ' ', '\t', '\0', '\u0001', '\u007f', '\u0085', '\u2028', '\u202e', '\ufeff', '\ufffd', '😀'],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'undefined',
    'null',
    'true',
    '[object Object]',
    '{}',
    '[]',
    '"',
    "'",
  ],
  ...['../../etc/passwd', '%00', '%0d%0aX: y', '\r\nX: y', '\n', '\r', '<script>', '$(id)', "' OR 1=1 --"],
  ...[
    '*',
    '**',
    '=',
    ';',
    ';;;',
    ',',
    ':',
    '::',
    '/',
    '//',
    '-',
    '_',
    '.',
    '~',
    'a=b',
    'a=x\r\na=y',
    'BUNDLE',
  ],
];

export const hostileText: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...CHOSEN),
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
);

/** A piece of text, over and over: long ones by their recipe, so that a report of one can be read. */
export interface Repeated {
  piece: string;
  times: number;
}

/** At most so many characters in all. */
export const repeated = (most: number): fc.Arbitrary<Repeated> =>
  fc
    .record({
      piece: fc.oneof(
        fc.constantFrom('a', '0', ' ', '\t', ',', ';', '[', '(', '-', ':', '\u0000', 'é', '😀', 'a ', '1 '),
        fc.constantFrom(
          'send ',
          ' recv',
          '[a]',
          'apt=1;',
          'AA:',
          'a.',
          '%41',
          ' \t',
          '0.',
          'a,b;',
          ' typ host',
        ),
      ),
      length: fc.oneof(fc.nat(300), fc.nat(Math.min(5_000, most)), fc.nat(most)),
    })
    .map(({ piece, length }) => ({ piece, times: Math.ceil(length / piece.length) }));

export const repeat = ({ piece, times }: Repeated): string => piece.repeat(times);
